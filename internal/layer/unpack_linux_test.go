package layer

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestLayerEntryTypes(t *testing.T) {
	w := newWorld(t)
	st := w.mustUnpack(
		entry{name: "./", typ: tar.TypeDir, mode: 0o751},
		dir("bin/"),
		entry{name: "bin/su", body: "#!", mode: 0o4755},
		entry{name: "bin/sgid", body: "#!", mode: 0o2755},
		entry{name: "tmp", typ: tar.TypeDir, mode: 0o1777},
		link("sh", "bin/su"),
		link("absolute", "/etc/passwd"),
		link("up", "../../.."),
		hard("bin/su2", "bin/su"),
		hard("sh2", "./sh"),
		entry{name: "pipe", typ: tar.TypeFifo, mode: 0o666},
		entry{name: "no/entry/for/parents", body: "x"},
		node("null", 1, 3),
		entry{name: "comment", typ: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "git"}},
	)
	w.has(map[string]string{
		".": "dir drwxr-x--x", "bin": "dir drwxr-xr-x", "bin/su": "file urwxr-xr-x #!", "bin/sgid": "file grwxr-xr-x",
		"tmp": "dir dtrwxrwxrwx", "sh": "-> bin/su", "absolute": "-> /etc/passwd", "up": "-> ../../..",
		"bin/su2": "file urwxr-xr-x #!", "sh2": "-> bin/su", "pipe": "fifo -rw-rw-rw-",
		"no/entry/for": "dir drwxr-xr-x", "no/entry/for/parents": "file -rw-r--r-- x", "null": "", "comment": "",
	})
	if st.Skips != 1 || st.Skipped[0].What != "device 1:3" || st.Implied != 3 || st.Bytes != 5 || st.RootImplied {
		t.Errorf("stats = %+v", st)
	}
}

// The directories without an entry are told, by their resolved paths; not those that get one later.
func TestLayerImpliedPaths(t *testing.T) {
	w := newWorld(t)
	st := w.mustUnpack(
		file("a/b/f", ""), dir("own"), file("own/sub/f", ""), link("l", "own"), file("l/through/f", ""), file("./a/./c/f", ""),
		file("late/x/f", ""), dir("late"), file(".wh.again", ""), file("again/f", ""), file("z/.wh.gone", ""),
	)
	want := []string{"a", "a/b", "a/c", "again", "late/x", "own/sub", "own/through", "z"}
	if !slices.Equal(st.ImpliedPaths, want) || !st.RootImplied {
		t.Errorf("%q, want %q; the root too: %v", st.ImpliedPaths, want, st.RootImplied)
	}
}

// Times are those of the entries, also of directories that got more content later, in any order.
func TestLayerTimes(t *testing.T) {
	w := newWorld(t)
	at := func(sec int64) time.Time { return time.Unix(sec, 123456789) }
	w.mustUnpack(
		entry{name: ".", typ: tar.TypeDir, time: at(10)},
		entry{name: "a", typ: tar.TypeDir, time: at(20)},
		entry{name: "a/b", typ: tar.TypeDir, time: at(30)},
		entry{name: "a/b/f", time: at(40)},
		entry{name: "x/y", time: at(45)},
		entry{name: "a/l", typ: tar.TypeSymlink, link: "b", time: at(50)},
		entry{name: "a/l/through", time: at(51)},
		entry{name: "a/p", typ: tar.TypeFifo, time: at(60)},
		entry{name: "a/l", time: at(70)},
		entry{name: "r/d", typ: tar.TypeDir, time: at(72)},
		entry{name: "r/d/f/g", time: at(72)},
		entry{name: "r", typ: tar.TypeDir, time: at(73)},
		entry{name: "r/d", time: at(74)}, // replaces a directory with content
		entry{name: "b4", typ: tar.TypeDir, time: at(-1000)},
	)
	for path, sec := range map[string]int64{".": 10, "a": 20, "a/b": 30, "a/b/f": 40, "x": 45, "x/y": 45, "a/l": 70,
		"a/b/through": 51, "a/p": 60, "r": 73, "r/d": 74, "b4": -1000} {
		fi, err := os.Lstat(filepath.Join(w.dst, path))
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(at(sec)) {
			t.Errorf("%s: time %v, want %v", path, fi.ModTime(), at(sec))
		}
	}
}

func TestLayerWhiteouts(t *testing.T) {
	w := newWorld(t)
	w.mustUnpack(
		file("d/.wh.gone", ""),
		file("d/.wh..wh..opq", ""),
		file(".wh.removed", ""),
		// A whiteout never hides what its own layer has, before it or after.
		file("kept", "new"), file(".wh.kept", ""),
		file(".wh.later", ""), file("later", "new"),
		// A directory removed and made again shows nothing of the old one.
		file(".wh.again", ""), dir("again"), file("again/f", ""),
		file(".wh.implied", ""), file("implied/f", ""),
		dir("before"), file("before/f", ""), file(".wh.before", ""),
		file("wasfile", ""), dir("wasfile"),
		hard(".wh.oldaufs", ".wh..wh.aufs"),
		file(".wh..wh.aufs", ""), file(".wh..wh.plnk/7.7", ""),
		file(".wh.twice", ""), file(".wh.twice", ""),
	)
	w.has(map[string]string{
		"d": "opaque dir", "d/gone": "whiteout", "removed": "whiteout", "kept": "file -rw-r--r-- new",
		"later": "file -rw-r--r-- new", "again": "opaque dir", "again/f": "file", "implied": "opaque dir",
		"before": "opaque dir", "before/f": "file", "wasfile": "opaque dir", "oldaufs": "whiteout", "twice": "whiteout",
		".wh..wh.aufs": "", ".wh..wh.plnk": "", ".": "dir",
	})
}

func TestLayerRootOpaque(t *testing.T) {
	w := newWorld(t)
	if st := w.mustUnpack(file(".wh..wh..opq", "")); !st.RootOpaque {
		t.Error("RootOpaque is not set")
	}
}

func TestLayerLaterEntryWins(t *testing.T) {
	w := newWorld(t)
	w.mustUnpack(
		file("f", "1"), file("f", "2"),
		dir("d"), file("d/sub/deep/x", ""), file("d", "now a file"),
		link("l", "f"), dir("l"), file("l/in", ""),
		file("h", "h"), hard("h", "h"), hard("h2", "h"), file("h2", "own"),
		dir("mode"), file("mode/x", ""), entry{name: "mode", typ: tar.TypeDir, mode: 0o700},
		fifo("p"), file("p", "file"),
	)
	w.has(map[string]string{
		"f": "file -rw-r--r-- 2", "d": "file -rw-r--r-- now a file", "l": "opaque dir", "l/in": "file",
		"h": "file -rw-r--r-- h", "h2": "file -rw-r--r-- own", "mode": "dir drwx------", "mode/x": "file",
		"p": "file -rw-r--r-- file",
	})
	if names, _ := filepath.Glob(filepath.Join(w.dst, ".wh.*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// Directories that keep even their owner out can be filled by an ordinary user, and removed again.
func TestLayerRestrictedDirectories(t *testing.T) {
	w := newWorld(t)
	w.mustUnpack(
		entry{name: ".", typ: tar.TypeDir, mode: 0o555},
		entry{name: "ro", typ: tar.TypeDir, mode: 0o555},
		entry{name: "ro/none", typ: tar.TypeDir, mode: 0o1000},
		file("ro/none/f", ""),
		entry{name: "was", typ: tar.TypeDir, mode: 0o111}, file("was", "file"),
		entry{name: "gone", typ: tar.TypeDir, mode: 0o111}, file("gone", ""), file("gone2/x", ""),
		entry{name: "back", typ: tar.TypeDir, mode: 0o500}, dir("back"),
	)
	for path, want := range map[string]fs.FileMode{".": 0o555, "ro": 0o555, "back": 0o755, "gone2": 0o755} {
		fi, err := os.Lstat(filepath.Join(w.dst, path))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v", path, fi.Mode().Perm(), want)
		}
	}
	fi, err := os.Lstat(filepath.Join(w.dst, "ro/none"))
	if err != nil || fi.Mode() != fs.ModeDir|fs.ModeSticky {
		t.Errorf("ro/none: %v, %v", fi, err)
	}
	w.removeDst()
	if _, err := os.Lstat(w.dst); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after RemoveAll: %v", err)
	}
}
