package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/store"
)

// FuzzLoad: whatever the archive, nothing panics or takes long, every error is an *Error, after an error nothing is
// visible or left in staging, and what has loaded can be saved. Every other input is a list of files, as a mutated tar
// file mostly fails its checksum.
func FuzzLoad(f *testing.F) {
	w := newWorld(f)
	for _, format := range []Format{DockerArchive, OCIArchive} {
		b := saved(f, w.s, SaveOptions{Format: format}, oneName, multiName)
		f.Add(false, b)
		f.Add(true, textOf(list(f, b)))
	}
	old := newOldDocker(f)
	f.Add(false, packed(f, gzipped, old.tar(f)))
	f.Add(true, textOf(old.entries(f)))
	f.Fuzz(func(t *testing.T, text bool, data []byte) {
		if text {
			data = fileOf(t, data)
		}
		s, err := store.Open(filepath.Join(t.TempDir(), "state"))
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		loaded, err := Load(ctx, bytes.NewReader(data), s, LoadOptions{Limits: Limits{Entries: 1000, Bytes: 8 << 20, Images: 50}})
		if ctx.Err() != nil {
			t.Error("it took longer than 10 s")
		}
		noStaging(t, s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%T: %v", err, err)
			}
			if n := names(t, s); len(n) > 0 {
				t.Errorf("visible after %v: %v", err, n)
			}
			return
		}
		for _, l := range loaded {
			if err := Save(ctx, new(bytes.Buffer), s, []string{l.Digest.String()}, SaveOptions{}); err != nil {
				t.Errorf("loaded, but not to be saved: %v", err)
			}
		}
	})
}

// textOf writes entries so that a fuzzer can change them: name, a NUL, the content with its length as a digest may need
// it; a link has "->" before its target.
func textOf(entries []entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		body := e.body
		if e.link != "" {
			body = "->" + e.link
		}
		if strings.HasSuffix(e.name, "/") {
			continue
		}
		b.WriteString(e.name + "\x00" + strings.ReplaceAll(body, "\xff\xfe", "") + "\xff\xfe")
	}
	return b.Bytes()
}

// fileOf makes the archive of what textOf wrote, without what package tar can not write.
func fileOf(t *testing.T, text []byte) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for part := range strings.SplitSeq(string(text), "\xff\xfe") {
		name, body, _ := strings.Cut(part, "\x00")
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(body))}
		if target, ok := strings.CutPrefix(body, "->"); ok {
			h, body = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}, ""
		}
		if err := w.WriteHeader(h); err != nil {
			continue
		}
		_, err := w.Write([]byte(body))
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}
