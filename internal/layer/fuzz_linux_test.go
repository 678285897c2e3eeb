package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzUnpack: whatever the layer, nothing changes beside the directory, every error is an *Error, and what was unpacked
// can be removed. Every other input is a program for fuzzLayer, because mutated tar files mostly fail their checksum.
func FuzzUnpack(f *testing.F) {
	for _, tc := range breakouts {
		b, err := io.ReadAll(pack(f, at(tc.entries, "/canary")...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(false, b)
	}
	sp, _ := io.ReadAll(sparse("hole", 1<<20))
	f.Add(false, sp)
	// Links at the start of each line, then things made through them.
	f.Add(true, []byte("2l\x01c\x00"+"0l/\x03\x00x"+"1h\x01l/s\x00"+"5d\x00\x00"+"0.wh.l\x00\x00"))
	f.Add(true, []byte("2\x00\x04\x00"+"0\x00/\x02\x00x"+"6\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, program bool, data []byte) {
		w := newWorld(t)
		before := fingerprint(t, w.canary)
		layer := data
		if program {
			layer = fuzzLayer(data, w.canary)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		d := w.open()
		defer d.Close()
		o := Defaults()
		o.Limits = Limits{Entries: 2000, Bytes: 8 << 20}
		_, err := Unpack(ctx, d, bytes.NewReader(layer), o)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%T: %v", err, err)
		}
		if ctx.Err() != nil {
			t.Error("took longer than 10 s")
		}
		w.removeDst()
		if fingerprint(t, w.canary) != before {
			t.Fatal("the canary changed")
		}
		if names, _ := os.ReadDir(w.top); len(names) != 1 {
			t.Fatalf("beside the target: %v", names)
		}
	})
}

// fuzzLayer reads entries of the form: type, name up to a zero byte, target up to a zero byte. Control characters in
// both stand for what hostile layers are made of.
func fuzzLayer(data []byte, canary string) []byte {
	words := strings.NewReplacer("\x01", "../canary/", "\x02", canary, "\x03", "secret", "\x04", "/proc/self/root"+canary,
		"\x05", ".wh.", "\x06", ".wh..wh..opq", "\x07", "..", "\x08", strings.Repeat("d/", 100))
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for len(data) > 1 {
		typ := data[0]
		name, rest, _ := bytes.Cut(data[1:], []byte{0})
		target, rest, _ := bytes.Cut(rest, []byte{0})
		data = rest
		h := &tar.Header{
			Name: words.Replace(string(name)), Linkname: words.Replace(string(target)), Typeflag: typ,
			Mode: int64(typ)<<4 | int64(len(target)), ModTime: time.Unix(int64(len(name)), 0), Format: tar.FormatPAX,
		}
		if typ == tar.TypeDir {
			h.PAXRecords = map[string]string{paxXattr + "user." + h.Linkname: "x"}
		}
		if typ == tar.TypeReg {
			h.Size, h.Linkname = int64(len(target)), ""
		}
		if w.WriteHeader(h) != nil {
			w = tar.NewWriter(&buf)
			continue
		}
		if typ == tar.TypeReg {
			_, _ = w.Write(target)
		}
	}
	_ = w.Flush()
	return buf.Bytes()
}
