package imagefs

import (
	"archive/tar"
	"io/fs"
	"maps"
	"strings"
	"testing"
)

// contents maps the paths of an image to file contents; directories end with "/", links are "-> target".
func contents(t testing.TB, f *FS) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case d.IsDir():
			got[path+"/"] = ""
		case d.Type() == fs.ModeSymlink:
			target, err := f.ReadLink(path)
			got[path] = "-> " + target
			return err
		case d.Type().IsRegular():
			b, err := f.ReadFile(path)
			got[path] = string(b)
			return err
		default:
			got[path] = d.Type().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLayersMerge(t *testing.T) {
	lower := []entry{
		file("removed", "old"), file("replaced", "old"), file("kept", "old"), dir("opq"), file("opq/old", ""),
		file("opq/sub/old", ""), dir("again"), file("again/old", ""), dir("merged"), file("merged/old", "old"),
		file("implied/old", ""), dir("todir/x"), link("link", "merged"), file("tree/a/b", ""), file("tofile", ""),
	}
	for name, tc := range map[string]struct {
		upper []entry
		gone  string
		want  map[string]string
	}{
		"whiteout":                      {[]entry{file(".wh.removed", "")}, "removed", nil},
		"whiteout of a tree":            {[]entry{file(".wh.tree", "")}, "tree/ tree/a/ tree/a/b", nil},
		"whiteout of what is not there": {[]entry{file("tree/.wh.zzz", ""), file("new/.wh.x", "")}, "", map[string]string{"new/": ""}},
		"whiteout, then a directory": {[]entry{file(".wh.again", ""), dir("again"), file("again/new", "n")},
			"again/old", map[string]string{"again/new": "n"}},
		"whiteout behind the directory": {[]entry{dir("again"), file("again/new", "n"), file(".wh.again", "")},
			"again/old", map[string]string{"again/new": "n"}},
		"whiteout, then an implied directory": {[]entry{file(".wh.implied", ""), file("implied/new", "n")},
			"implied/old", map[string]string{"implied/new": "n"}},
		"whiteout of a file of the same layer": {[]entry{file("replaced", "new"), file(".wh.replaced", "")}, "",
			map[string]string{"replaced": "new"}},
		"opaque": {[]entry{file("opq/new", "n"), file("opq/.wh..wh..opq", "")}, "opq/old opq/sub/ opq/sub/old",
			map[string]string{"opq/new": "n"}},
		"directory becomes a file": {[]entry{file("todir", "f")}, "todir/ todir/x/", map[string]string{"todir": "f"}},
		"file becomes a directory": {[]entry{file("tofile/x", "n")}, "tofile", map[string]string{"tofile/": "", "tofile/x": "n"}},
		"link becomes a directory": {[]entry{file("link/x", "n")}, "link", map[string]string{"link/": "", "link/x": "n"}},
		"replaced twice":           {[]entry{file("merged", "f"), dir("merged")}, "merged/old", nil},
		"own link is followed":     {[]entry{link("new", "merged"), file("new/x", "n")}, "", map[string]string{"new": "-> merged", "merged/x": "n"}},
		"aufs bookkeeping":         {[]entry{file(".wh..wh.plnk/x", ""), file(".wh..wh.aufs", "")}, "", nil},
	} {
		want := contents(t, imageOf(t, lower))
		for path := range strings.FieldsSeq(tc.gone) {
			if _, ok := want[path]; !ok {
				t.Fatalf("%s: %s was never there", name, path)
			}
			delete(want, path)
		}
		maps.Copy(want, tc.want)
		if got := contents(t, imageOf(t, lower, tc.upper)); !maps.Equal(got, want) {
			t.Errorf("%s: got %v\nwant %v", name, got, want)
		}
	}
	got := contents(t, imageOf(t, lower, []entry{file(".wh..wh..opq", ""), file("only", "x")}))
	if !maps.Equal(got, map[string]string{"only": "x"}) {
		t.Errorf("opaque root: %v", got)
	}
}

func TestHardLinksShareTheirContent(t *testing.T) {
	f := imageOf(t,
		[]entry{file("a", "1"), hard("b", "a"), hard("a", "b"), hard("./c", "/a"), {name: "l", typ: tar.TypeSymlink, link: "a"}, hard("m", "l")},
		[]entry{file("a", "2")})
	got := contents(t, f)
	want := map[string]string{"a": "2", "b": "1", "c": "1", "l": "-> a", "m": "-> a"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
