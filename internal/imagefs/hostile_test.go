package imagefs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
)

func TestHostileEntries(t *testing.T) {
	for name, tc := range map[string]struct {
		entries []entry
		want    error
	}{
		"dotdot":                   {[]entry{file("../x", "")}, layer.ErrName},
		"dotdot inside":            {[]entry{file("a/../../x", "")}, layer.ErrName},
		"empty":                    {[]entry{file("", "")}, layer.ErrName},
		"root is a file":           {[]entry{file(".", "x")}, layer.ErrName},
		"whiteout of nothing":      {[]entry{file(".wh.", "")}, layer.ErrName},
		"whiteout of dotdot":       {[]entry{file("a/.wh...", "")}, layer.ErrName},
		"below a whiteout":         {[]entry{file(".wh.a/b", "")}, layer.ErrName},
		"whiteout directory":       {[]entry{dir(".wh.a")}, layer.ErrName},
		"hard link out":            {[]entry{hard("a", "../../etc/passwd")}, layer.ErrName},
		"hard link to nothing":     {[]entry{hard("a", "b")}, fs.ErrNotExist},
		"hard link to a whiteout":  {[]entry{file(".wh.b", ""), hard("a", "b")}, fs.ErrNotExist},
		"hard link to a directory": {[]entry{dir("b"), hard("a", "b")}, syscall.EISDIR},
		"hard link to the root":    {[]entry{hard("a", "/")}, layer.ErrName},
		"parent is a file":         {[]entry{file("a", ""), file("a/b", "")}, syscall.ENOTDIR},
		"link loop":                {[]entry{link("a", "b"), link("b", "a"), file("a/x", "")}, syscall.ELOOP},
		"owner":                    {[]entry{{name: "a", uid: 1<<32 - 1}}, layer.ErrOwner},
		"type":                     {[]entry{{name: "a", typ: '7'}}, layer.ErrType},
		"link to nothing":          {[]entry{link("a", "")}, layer.ErrName},
	} {
		f := imageOf(t, tc.entries)
		_, err := f.ReadDir(".")
		var e *Error
		var pe *fs.PathError
		if !errors.Is(err, tc.want) || !errors.As(err, &e) || !errors.As(err, &pe) || e.Layer == "" {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if _, again := f.Stat("x"); !errors.Is(again, tc.want) {
			t.Errorf("%s: later %v", name, again)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("d/", n) + "f" }
	many := make([]entry, 100)
	for i := range many {
		many[i] = file(fmt.Sprintf("f%d", i), "")
	}
	for name, tc := range map[string]struct {
		layers [][]entry
		o      Options
	}{
		"depth of a name":  {[][]entry{{file(deep(256), "")}}, Options{}},
		"entries of one":   {[][]entry{many}, Options{Layer: layer.Limits{Entries: 99}}},
		"entries of all":   {[][]entry{many, many}, Options{Entries: 199}},
		"implied entries":  {[][]entry{{file(deep(50), "")}}, Options{Entries: 40}},
		"text":             {[][]entry{many}, Options{Text: 100}},
		"attributes":       {[][]entry{{{name: "f", pax: map[string]string{"SCHILY.xattr.user.a": strings.Repeat("x", 5000)}}}}, Options{Text: 4000}},
		"one attribute":    {[][]entry{{{name: "f", pax: map[string]string{"SCHILY.xattr.user.a": strings.Repeat("x", 70000)}}}}, Options{}},
		"bytes of stream":  {[][]entry{{file("f", noise(1, 9000))}}, Options{Layer: layer.Limits{Bytes: 5000}}},
		"owner names":      {[][]entry{{{name: "f", uname: strings.Repeat("x", 5000)}}}, Options{Text: 4000}},
		"link target":      {[][]entry{{link("f", strings.Repeat("x", 5000))}}, Options{}},
		"links lead deep":  {[][]entry{deeper(20)}, Options{}},
		"component length": {[][]entry{{file(strings.Repeat("x", 256), "")}}, Options{}},
	} {
		for _, packed := range packings(t) {
			var b blobs
			var layers []Layer
			for _, l := range tc.layers {
				layers = append(layers, packed(&b, pack(t, l...)))
			}
			_, err := New(layers, &tc.o).Stat(".")
			var le *layer.LimitError
			if !errors.As(err, &le) {
				t.Errorf("%s: %v", name, err)
			}
			if b.open.Load() != 0 {
				t.Errorf("%s: a blob is still open", name)
			}
		}
	}
}

// deeper makes directories n times deeper than a name can be, through links.
func deeper(n int) []entry {
	path := strings.TrimSuffix(strings.Repeat("d/", 250), "/")
	list := []entry{dir(path), link("l0", path)}
	for i := range n {
		at := fmt.Sprintf("l%d", i)
		list = append(list, dir(at+"/"+path), link(fmt.Sprintf("l%d", i+1), at+"/"+path))
	}
	return list
}

func TestDamagedStreams(t *testing.T) {
	whole := pack(t, file("a", noise(1, 50_000)), file("b", noise(2, 50_000)))
	for name, packed := range packings(t) {
		var b blobs
		l := packed(&b, whole)
		opened, _ := l.Open()
		content, _ := io.ReadAll(opened.(*blob))
		opened.Close()
		for _, cut := range []int{len(content) / 2, 1100, 3} {
			l := l
			l.Open = func() (Blob, error) { b.open.Add(1); return &blob{bytes.NewReader(content[:cut]), &b}, nil }
			if _, err := New([]Layer{l}, nil).Stat("a"); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d: %v", name, cut, err)
			}
		}
		if name == "plain" {
			continue
		}
		l.DiffID = digest([]byte("other"))
		if _, err := New([]Layer{l}, nil).Stat("a"); !errors.Is(err, ErrDiffID) {
			t.Errorf("%s with another diff id: %v", name, err)
		}
		if n := b.open.Load(); n != 0 {
			t.Errorf("%s: %d blobs are still open", name, n)
		}
	}
}

// A blob that changes after it was indexed gives an error, not wrong content without a word.
func TestBlobIsGone(t *testing.T) {
	gone := errors.New("gone")
	for name, packed := range packings(t) {
		var b blobs
		l := packed(&b, pack(t, file("a", noise(1, 50_000))))
		var err error
		open := l.Open
		l.Open = func() (Blob, error) {
			if err != nil {
				return nil, err
			}
			return open()
		}
		f := New([]Layer{l}, nil)
		if err := f.Index(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = gone
		if _, err := f.ReadFile("a"); !errors.Is(err, gone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIndexCanBeGivenUp(t *testing.T) {
	f := imageOf(t, []entry{file("a", "1")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Index(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Index: %v", err)
	}
	if b, err := f.ReadFile("a"); string(b) != "1" || err != nil {
		t.Errorf("afterwards: %q, %v", b, err)
	}
}

func FuzzIndex(f *testing.F) {
	for _, l := range sampleLayers(f) {
		f.Add(l[:min(len(l), 4096)], l[:min(len(l), 8192)])
	}
	f.Add([]byte(paxSparse("a")+oldSparse("b")+strings.Repeat("\x00", 1024)), pack(f, hard("x", "a"), file(".wh.a", "")))
	f.Add(pack(f, link("a", "b/../c"), file("a/d", "x"), entry{name: "g", typ: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "c"}}), []byte{})
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		var b blobs
		o := &Options{Layer: layer.Limits{Entries: 2000, Bytes: 8 << 20}}
		fsys := New([]Layer{b.plain(lower), b.plain(upper)}, o)
		err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fi, err := fsys.Lstat(path)
			if err != nil || fi.Mode() != must(d.Info()).Mode() {
				return fmt.Errorf("Lstat(%q) = %v, %w", path, fi, err)
			}
			if d.Type().IsRegular() && fi.Size() < 1<<20 {
				got, err := fsys.ReadFile(path)
				if err != nil || int64(len(got)) != fi.Size() {
					return fmt.Errorf("ReadFile(%q) = %d bytes of %d, %w", path, len(got), fi.Size(), err)
				}
			}
			return nil
		})
		var e *Error
		if err != nil && !(errors.As(err, &e) && e.Layer != "") {
			t.Error(err)
		}
		if b.open.Load() != 0 {
			t.Error("a blob is still open")
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
