package imagefs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

var _ interface {
	fs.ReadDirFS
	fs.StatFS
	fs.ReadFileFS
	fs.ReadLinkFS
} = (*FS)(nil)

// noise is content that no packing makes small, different for each seed.
func noise(seed uint64, n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b) // never fails
	return string(b)
}

func sampleLayers(t testing.TB) [][]byte {
	return [][]byte{
		pack(t, dir("bin"), file("bin/sh", noise(1, 80_000)), hard("bin/ash", "bin/sh"), link("bin/up", "../etc/name"),
			file("etc/name", "lower"), file("etc/gone", "x"), dir("opq"), file("opq/old", "1"), file("empty", ""),
			link("abs", "/etc"), file("big", noise(2, 600_000))),
		pack(t, file("etc/name", "upper"), file("etc/.wh.gone", ""), file("opq/.wh..wh..opq", ""), file("opq/new", "2"),
			file("var/lib/a/b/c/d", "deep"), file("etc/other", noise(3, 30_000))),
	}
}

func TestTestFS(t *testing.T) {
	for name, packed := range packings(t) {
		t.Run(name, func(t *testing.T) {
			var b blobs
			var layers []Layer
			for _, l := range sampleLayers(t) {
				layers = append(layers, packed(&b, l))
			}
			f := New(layers, nil)
			err := fstest.TestFS(f, "bin/sh", "bin/ash", "bin/up", "etc/name", "etc/other", "opq/new", "empty", "abs",
				"big", "var/lib/a/b/c/d")
			if err != nil {
				t.Error(err)
			}
			for _, gone := range []string{"etc/gone", "opq/old", "etc/.wh.gone", "opq/.wh..wh..opq"} {
				if _, err := f.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Stat(%s) = %v", gone, err)
				}
			}
			if n := b.open.Load(); n != 0 {
				t.Errorf("%d blobs are still open", n)
			}
		})
	}
}

func TestReadFileThroughLinks(t *testing.T) {
	f := imageOf(t, []entry{
		file("etc/name", "content"), link("abs", "/etc"), link("etc/up", "../../../../etc/./name"),
		link("a", "b"), link("b", "a"), link("dangling", "/nowhere"), link("etc/here", "name"), link("tofile", "etc/name"),
		link("chain", "abs/here"), link("outside", "/../../../etc/name"),
	})
	for _, name := range []string{"etc/name", "abs/name", "etc/up", "abs/up", "etc/here", "chain", "tofile", "outside"} {
		if b, err := f.ReadFile(name); string(b) != "content" || err != nil {
			t.Errorf("ReadFile(%s) = %q, %v", name, b, err)
		}
	}
	for name, want := range map[string]error{
		"a": syscall.ELOOP, "a/x": syscall.ELOOP, "dangling": fs.ErrNotExist, "etc/name/x": syscall.ENOTDIR,
		"tofile/x": syscall.ENOTDIR, "nothing": fs.ErrNotExist, "/etc/name": fs.ErrInvalid, "../etc/name": fs.ErrInvalid,
		"etc/../etc/name": fs.ErrInvalid, "": fs.ErrInvalid, "etc": syscall.EISDIR,
	} {
		_, err := f.ReadFile(name)
		var pe *fs.PathError
		if !errors.Is(err, want) || !errors.As(err, &pe) {
			t.Errorf("ReadFile(%s): %v, want %v", name, err, want)
		}
	}
	if fi, err := f.Lstat("abs"); err != nil || fi.Mode().Type() != fs.ModeSymlink || fi.Size() != 4 {
		t.Errorf("Lstat(abs) = %v, %v", fi, err)
	}
	if fi, err := f.Lstat("abs/up"); err != nil || fi.Mode().Type() != fs.ModeSymlink {
		t.Errorf("Lstat(abs/up) = %v, %v", fi, err)
	}
	if s, err := f.ReadLink("chain"); s != "abs/here" || err != nil {
		t.Errorf("ReadLink(chain) = %q, %v", s, err)
	}
	if _, err := f.ReadLink("etc/name"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("ReadLink of a file: %v", err)
	}
}

func TestSysIsATarHeader(t *testing.T) {
	attrs := map[string]string{"SCHILY.xattr.user.a": "1", "SCHILY.xattr.security.capability": "\x01\x00"}
	f := imageOf(t, []entry{
		{name: "d/f", body: "abc", uid: 7, gid: 1 << 31, mode: 0o6751, pax: attrs},
		{name: "null", typ: tar.TypeChar, major: 1, minor: 3}, {name: "p", typ: tar.TypeFifo},
		{name: "b", typ: tar.TypeBlock, major: 8}, {name: "t", typ: tar.TypeDir, mode: 0o1777}, link("l", "x"),
		hard("h", "d/f"), {name: "raw", typ: tar.TypeChar},
	})
	header := func(name string) *tar.Header {
		fi, err := f.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Sys().(*tar.Header)
	}
	for _, name := range []string{"d/f", "h"} {
		h := header(name)
		if h.Name != name || h.Uid != 7 || h.Gid != 1<<31 || h.Mode != 0o6751 || h.Size != 3 || h.Typeflag != tar.TypeReg ||
			len(h.PAXRecords) != 2 || h.PAXRecords["SCHILY.xattr.user.a"] != "1" || !h.ModTime.Equal(time.Unix(1_000_000_000, 5000)) {
			t.Errorf("Sys of %s = %+v", name, h)
		}
	}
	if h := header("null"); h.Typeflag != tar.TypeChar || h.Devmajor != 1 || h.Devminor != 3 {
		t.Errorf("Sys of null = %+v", h)
	}
	for name, want := range map[string]fs.FileMode{
		"d/f": 0o751 | fs.ModeSetuid | fs.ModeSetgid, "null": 0o644 | fs.ModeDevice | fs.ModeCharDevice,
		"p": 0o644 | fs.ModeNamedPipe, "b": 0o644 | fs.ModeDevice, "t": 0o777 | fs.ModeDir | fs.ModeSticky,
		"l": 0o644 | fs.ModeSymlink,
	} {
		if fi, err := f.Lstat(name); err != nil || fi.Mode() != want {
			t.Errorf("mode of %s = %v, want %v (%v)", name, fi.Mode(), want, err)
		}
	}
	if _, err := f.ReadFile("null"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("reading a device: %v", err)
	}
	if _, err := f.Lstat("raw"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a raw whiteout is shown: %v", err)
	}
}

// A mode field can claim a type that the entry does not have.
func TestModeFieldDoesNotDecideTheType(t *testing.T) {
	f := imageOf(t, []entry{{name: "f", body: "x", mode: 0o040755}})
	if fi, err := f.Stat("f"); err != nil || fi.Mode() != 0o755 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestImpliedDirectoryKeepsItsLook(t *testing.T) {
	f := imageOf(t,
		[]entry{{name: "d", typ: tar.TypeDir, mode: 0o700, uid: 5}, file("d/a", "1")},
		[]entry{file("d/b", "2")})
	fi, err := f.Stat("d")
	if err != nil || fi.Mode() != fs.ModeDir|0o700 || fi.Sys().(*tar.Header).Uid != 5 {
		t.Errorf("d is %v, %v", fi, err)
	}
}

// Names that are not UTF-8 can be listed and opened.
func TestNamesAreBytes(t *testing.T) {
	f := imageOf(t, []entry{file("d/\xff\xfe", "raw")})
	list, err := f.ReadDir("d")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if b, err := f.ReadFile("d/" + list[0].Name()); string(b) != "raw" {
		t.Errorf("%q, %v", b, err)
	}
}

// Files of a layer that are read in its order, a bit at a time, cost one more decompression, not one each.
func TestSequentialReadsShareAPosition(t *testing.T) {
	var content []entry
	for i := range 50 {
		content = append(content, file(fmt.Sprintf("f%02d", i), noise(uint64(i), 20_000)))
	}
	for name, packed := range packings(t) {
		var b blobs
		f := New([]Layer{packed(&b, pack(t, content...))}, nil)
		for i, e := range content {
			got, err := f.ReadFile(fmt.Sprintf("f%02d", i))
			if err != nil || string(got) != e.body {
				t.Fatalf("%s: %s: %d bytes, %v", name, e.name, len(got), err)
			}
		}
		if n := b.began.Load(); n > 2 {
			t.Errorf("%s: decompressed %d times from the beginning", name, n)
		}
		if n := b.open.Load(); n != 0 {
			t.Errorf("%s: %d blobs are still open", name, n)
		}
	}
}

func TestParallelReaders(t *testing.T) {
	layers := sampleLayers(t)
	contents := map[string]string{"big": noise(2, 600_000), "bin/ash": noise(1, 80_000)}
	for name, packed := range packings(t) {
		var b blobs
		f := New([]Layer{packed(&b, layers[0]), packed(&b, layers[1])}, nil)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for range 20 {
					which := "big"
					if r.IntN(2) == 0 {
						which = "bin/ash"
					}
					want := contents[which]
					opened, err := f.Open(which)
					if err != nil {
						t.Error(err)
						return
					}
					off, p := r.IntN(len(want)-1000), make([]byte, 1000)
					if _, err := opened.(io.ReaderAt).ReadAt(p, int64(off)); err != nil || string(p) != want[off:off+1000] {
						t.Errorf("%s: %s at %d: %v", name, which, off, err)
					}
					if err := opened.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := b.open.Load(); n != 0 {
			t.Errorf("%s: %d blobs are still open", name, n)
		}
	}
}

func TestSeekAndReadAt(t *testing.T) {
	want := noise(9, 100_000)
	for name, packed := range packings(t) {
		var b blobs
		f := New([]Layer{packed(&b, pack(t, file("a", noise(8, 70_000)), file("f", want)))}, nil)
		opened, err := f.Open("f")
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(io.ReadSeeker)
		for _, off := range []int64{50_000, 10, 99_999, 0} {
			if _, err := s.Seek(off, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 100)
			n, err := io.ReadFull(s, p)
			if string(p[:n]) != want[off:min(off+100, 100_000)] {
				t.Errorf("%s: wrong content at %d: %v", name, off, err)
			}
		}
		if end, err := s.Seek(-5, io.SeekEnd); end != 99_995 || err != nil {
			t.Error(end, err)
		}
		if rest, err := io.ReadAll(s); string(rest) != want[99_995:] || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		opened.Close()
		if _, err := opened.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
