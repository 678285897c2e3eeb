package layer

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"time"
)

// entry is one tar entry of a test layer; the zero type is a regular file.
type entry struct {
	name  string
	typ   byte
	link  string
	body  string
	mode  int64
	uid   int
	gid   int
	pax   map[string]string
	major int64
	minor int64
	time  time.Time
}

func file(name, body string) entry   { return entry{name: name, body: body} }
func dir(name string) entry          { return entry{name: name, typ: tar.TypeDir} }
func link(name, target string) entry { return entry{name: name, typ: tar.TypeSymlink, link: target} }
func hard(name, target string) entry { return entry{name: name, typ: tar.TypeLink, link: target} }
func fifo(name string) entry         { return entry{name: name, typ: tar.TypeFifo} }
func node(name string, a, b int64) entry {
	return entry{name: name, typ: tar.TypeChar, major: a, minor: b}
}

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Name: e.name, Typeflag: e.typ, Linkname: e.link, Size: int64(len(e.body)), Mode: e.mode,
		Uid: e.uid, Gid: e.gid, PAXRecords: e.pax, Devmajor: e.major, Devminor: e.minor,
		ModTime: e.time, Format: tar.FormatPAX,
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return &tar.Header{Typeflag: h.Typeflag, PAXRecords: e.pax}
	}
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(1_000_000_000, 0)
	}
	return h
}

// pack makes the tar stream of a layer.
func pack(t testing.TB, entries ...entry) *bytes.Reader {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		if err := w.WriteHeader(e.header()); err != nil {
			t.Fatalf("write header of %q: %v", e.name, err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(buf.Bytes())
}
