package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLayerRefusals(t *testing.T) {
	for _, tc := range []struct {
		name    string
		entries []entry
		err     error
	}{
		{"root as file", []entry{file("./.", "x")}, ErrName},
		{"root as link", []entry{link("/.", "/")}, ErrName},
		{"whiteout as directory", []entry{dir(".wh.x")}, ErrName},
		{"empty link", []entry{{name: "l", typ: tar.TypeSymlink, link: ""}}, ErrName},
		{"unknown type", []entry{{name: "x", typ: 'V'}}, ErrType},
		{"contiguous", []entry{{name: "x", typ: tar.TypeCont}}, ErrType},
		{"link to nothing", []entry{hard("a", "b")}, fs.ErrNotExist},
		{"link to below nothing", []entry{hard("a", "b/c")}, fs.ErrNotExist},
		{"link to whiteout", []entry{file(".wh.b", ""), hard("a", "b")}, fs.ErrNotExist},
		{"link to a whiteout's name", []entry{file(".wh.b", ""), hard("a", ".wh.b")}, ErrName},
		{"link to directory", []entry{dir("b"), hard("a", "b")}, syscall.EISDIR},
		{"link to root", []entry{hard("a", "/")}, ErrName},
		{"file as parent", []entry{file("a", ""), file("a/b", "")}, syscall.ENOTDIR},
		{"fifo as parent", []entry{fifo("a"), file("a/b", "")}, syscall.ENOTDIR},
		{"loop as parent", []entry{link("a", "b"), link("b", "a"), file("a/x", "")}, syscall.ELOOP},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.unpack(pack(t, tc.entries...))
			var e *Error
			if !errors.Is(err, tc.err) || !errors.As(err, &e) || e.Path != tc.entries[len(tc.entries)-1].name {
				t.Errorf("err = %#v (%v), want %v", err, err, tc.err)
			}
		})
	}
}

func TestLayerBrokenStream(t *testing.T) {
	whole, err := io.ReadAll(pack(t, file("a", strings.Repeat("x", 3000)), file("b", "y")))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 511, 513, 2000, 3600, 4096} {
		w := newWorld(t)
		if _, err := w.unpack(bytes.NewReader(whole[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: err = %v", n, err)
		}
	}
	garbage := bytes.Repeat([]byte("garbage!"), 128)
	w := newWorld(t)
	if _, err := w.unpack(bytes.NewReader(garbage)); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("garbage: err = %v", err)
	}
	// An empty stream is an empty layer; bytes after the end mark are read, for the digest, and mean nothing.
	for _, r := range []io.Reader{strings.NewReader(""), io.MultiReader(bytes.NewReader(whole), strings.NewReader("rest"))} {
		w := newWorld(t)
		if _, err := w.unpack(r); err != nil {
			t.Error(err)
		}
		if n, _ := r.Read(make([]byte, 1)); n != 0 {
			t.Error("the stream was not read to its end")
		}
	}
}

func TestLayerContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t)
	d := w.open()
	defer d.Close()
	n := 0
	r := readerFunc(func(p []byte) (int, error) { // an endless file
		if n++; n == 10 {
			cancel()
		}
		if n == 1 {
			h := pack(t, file("a", strings.Repeat("x", 1<<20)))
			return h.Read(p[:512])
		}
		return len(p), nil
	})
	if _, err := Unpack(ctx, d, r, Defaults()); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestLayerTargetMustBeEmpty(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dst, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.unpack(pack(t)); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("err = %v", err)
	}
}
