package imagefs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
)

// entry is one tar entry of a test layer; the zero type is a regular file.
type entry struct {
	name, link, body, uname string
	typ                     byte
	mode                    int64
	uid, gid                int
	major, minor            int64
	pax                     map[string]string
	sec                     int64 // later than the others
}

func file(name, body string) entry   { return entry{name: name, body: body} }
func dir(name string) entry          { return entry{name: name, typ: tar.TypeDir} }
func link(name, target string) entry { return entry{name: name, typ: tar.TypeSymlink, link: target} }
func hard(name, target string) entry { return entry{name: name, typ: tar.TypeLink, link: target} }

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Name: e.name, Typeflag: e.typ, Linkname: e.link, Size: int64(len(e.body)), Mode: e.mode, Uid: e.uid, Gid: e.gid, Uname: e.uname,
		Devmajor: e.major, Devminor: e.minor, PAXRecords: e.pax, Format: tar.FormatPAX,
		ModTime: time.Unix(1_000_000_000+e.sec, 5000),
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return &tar.Header{Typeflag: h.Typeflag, PAXRecords: e.pax}
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	return h
}

// pack makes the tar stream of a layer.
func pack(t testing.TB, entries ...entry) []byte {
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
	return buf.Bytes()
}

// blobs counts what is open of the blobs of a test, how often they were decompressed from the beginning where that can be
// told, and the bytes read.
type blobs struct {
	open, began, read atomic.Int64
}

type blob struct {
	*bytes.Reader
	of *blobs
}

func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.Reader.ReadAt(p, off)
	b.of.read.Add(int64(n))
	return n, err
}

func (b *blob) Close() error { b.of.open.Add(-1); return nil }

func (b *blobs) plain(content []byte) Layer {
	return Layer{Name: digest(content).String(), Open: func() (Blob, error) {
		b.open.Add(1)
		return &blob{bytes.NewReader(content), b}, nil
	}}
}

type stream struct {
	io.Reader
	io.Closer
}

func (b *blobs) gzip(t testing.TB, content []byte) Layer {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	w.Close()
	l := b.plain(packed.Bytes())
	l.DiffID = digest(content)
	l.Gzip = true
	return l
}

func (b *blobs) zstd(t testing.TB, content []byte) Layer {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := b.plain(w.EncodeAll(content, nil))
	l.DiffID = digest(content)
	l.Decompress = func(r io.ReadCloser) (io.ReadCloser, error) {
		b.began.Add(1)
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		return stream{z, r}, err
	}
	return l
}

func digest(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// packings makes a layer of content in each way there is.
func packings(t testing.TB) map[string]func(*blobs, []byte) Layer {
	return map[string]func(*blobs, []byte) Layer{
		"plain": func(b *blobs, c []byte) Layer { return b.plain(c) },
		"gzip":  func(b *blobs, c []byte) Layer { return b.gzip(t, c) },
		"zstd":  func(b *blobs, c []byte) Layer { return b.zstd(t, c) },
	}
}

// imageOf makes the file system of plain layers.
func imageOf(t testing.TB, layers ...[]entry) *FS {
	t.Helper()
	var b blobs
	var list []Layer
	for _, l := range layers {
		list = append(list, b.plain(pack(t, l...)))
	}
	return New(list, nil)
}
