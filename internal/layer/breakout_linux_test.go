package layer

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// breakouts are layers that try to reach a directory beside the one they are unpacked to. @ stands for its absolute
// path, which begins with a slash. want is what must be in the target afterwards; nil means that the layer is refused.
var breakouts = []struct {
	name    string
	entries []entry
	want    map[string]string
}{
	{"dotdot file", []entry{file("../canary/new", "x")}, nil},
	{"dotdot after a directory", []entry{dir("a"), file("a/../../canary/new", "x")}, nil},
	{"dotdot after a slash", []entry{file("/../canary/new", "x")}, nil},
	{"dotdot directory", []entry{dir("../canary/new")}, nil},
	{"dotdot itself", []entry{{name: "..", typ: tar.TypeDir, mode: 0o777}}, nil},
	{"dotdot whiteout", []entry{file("../canary/.wh.secret", "")}, nil},
	{"dotdot opaque", []entry{file("../canary/.wh..wh..opq", "")}, nil},
	{"dotdot link", []entry{link("../canary/l", "x")}, nil},
	{"dotdot fifo", []entry{fifo("../canary/p")}, nil},
	{"absolute file", []entry{file("@/secret", "x")}, map[string]string{"secret": ""}},
	{"absolute directory", []entry{{name: "@", typ: tar.TypeDir, mode: 0o777}}, map[string]string{}},

	{"through relative link", []entry{link("l", "../canary"), file("l/secret", "x")},
		map[string]string{"l": "-> ../canary", "canary/secret": "file -rw-r--r-- x"}},
	{"through absolute link", []entry{link("l", "@"), file("l/secret", "x")}, map[string]string{"l": "-> "}},
	{"through link to /", []entry{link("l", "/"), file("l/x", "x")}, map[string]string{"x": "file"}},
	{"through link to dot", []entry{link("l", "."), file("l/l/l/x", "x")}, map[string]string{"x": "file"}},
	{"through two links", []entry{link("a", "@"), link("b", "a"), file("b/secret", "x")}, map[string]string{}},
	{"through link and dotdot", []entry{dir("d"), link("d/up", "../.."), file("d/up/canary/secret", "x")},
		map[string]string{"canary/secret": "file"}},
	{"through link in a directory", []entry{dir("d"), link("d/l", "../../canary"), dir("d/l/sub"), file("d/l/sub/file", "x")},
		map[string]string{"canary/sub/file": "file"}},
	{"through dangling links", []entry{link("a", "b/../c"), link("c", "../../d"), file("a/x", "x")},
		map[string]string{"b": "dir", "d/x": "file"}},
	{"through proc root", []entry{link("l", "/proc/self/root@"), file("l/secret", "x")}, map[string]string{"proc/self/root": "dir"}},
	{"through proc cwd", []entry{link("l", "/proc/self/cwd"), file("l/x", "x")}, map[string]string{"proc/self/cwd/x": "file"}},
	{"through proc fd", []entry{link("l", "/proc/self/fd/3"), file("l/x", "x")}, map[string]string{"proc/self/fd/3/x": "file"}},

	{"link replaced by file", []entry{link("l", "@/secret"), file("l", "x")}, map[string]string{"l": "file -rw-r--r-- x"}},
	{"link replaced by directory", []entry{link("l", "@"), {name: "l", typ: tar.TypeDir, mode: 0o777}},
		map[string]string{"l": "opaque dir drwxrwxrwx"}},
	{"link replaced by fifo", []entry{link("l", "@/secret"), {name: "l", typ: tar.TypeFifo, mode: 0o777}},
		map[string]string{"l": "fifo -rwxrwxrwx"}},
	{"link with owner, mode, time and attributes", []entry{{name: "l", typ: tar.TypeSymlink, link: "@/secret", mode: 0o4777,
		pax: map[string]string{paxXattr + "user.x": "x"}}}, map[string]string{"l": "-> "}},
	{"whiteout through link", []entry{link("l", "@"), file("l/.wh.secret", "")}, map[string]string{}},
	{"opaque through link", []entry{link("l", "../canary"), file("l/.wh..wh..opq", "")}, map[string]string{"canary": "opaque dir"}},
	{"whiteout of a link", []entry{link("l", "@"), file(".wh.l", "")}, map[string]string{"l": "-> "}},
	{"fifo through link", []entry{link("l", "@"), fifo("l/p")}, map[string]string{}},
	{"link through link", []entry{link("l", "@"), link("l/m", "x")}, map[string]string{}},
	{"device through link", []entry{link("l", "@"), node("l/null", 1, 3)}, map[string]string{}},

	{"hard link dotdot", []entry{hard("h", "../canary/secret")}, nil},
	{"hard link absolute", []entry{hard("h", "@/secret")}, nil},
	{"hard link through link", []entry{link("l", "@"), hard("h", "l/secret")}, nil},
	{"hard link through relative link", []entry{link("l", "../canary"), hard("h", "l/secret"), file("h", "x")}, nil},
	{"hard link into link", []entry{link("l", "@"), file("f", "x"), hard("l/new", "f")}, map[string]string{"f": "file"}},
	{"hard link to link, then write", []entry{link("l", "@/secret"), hard("h", "l"), file("h", "x")},
		map[string]string{"h": "file -rw-r--r-- x", "l": "-> "}},
	{"hard link to link, then mode", []entry{link("l", "@/secret"), {name: "h", typ: tar.TypeLink, link: "l", mode: 0o777}},
		map[string]string{"h": "-> "}},
	{"hard link to link, then through it", []entry{link("l", "@"), hard("h", "l"), file("h/secret", "x")}, map[string]string{}},
	{"hard link to link, then attributes", []entry{link("l", "@/secret"), {name: "h", typ: tar.TypeLink, link: "l",
		pax: map[string]string{paxXattr + "user.x": "x"}}}, map[string]string{}},

	{"directory replaced by link", []entry{dir("d"), file("d/f", ""), link("d", "@"), file("d/secret", "x")}, map[string]string{"d": "-> "}},
	{"directory left by link", []entry{dir("d"), file("d/f", ""), link("d", "@"), file(".wh.d", ""), dir("d"), file("d/secret", "x")},
		map[string]string{"d/secret": "file"}},
	{"restricted directory replaced by link", []entry{{name: "d", typ: tar.TypeDir, mode: 0o001}, link("d", "@")},
		map[string]string{"d": "-> "}},
	{"restricted directory through link", []entry{link("l", "@"), {name: "l/d", typ: tar.TypeDir, mode: 0o500}, link("l/d/x", "/")},
		map[string]string{}},
	{"root as link", []entry{link("/.", "@"), file("secret", "x")}, nil},
	{"root as hard link", []entry{hard(".", "@/secret")}, nil},
	{"loop", []entry{link("a", "b"), link("b", "a"), file("a/x", "x")}, nil},
	{"whiteout of dotdot", []entry{file("d/.wh...", "")}, nil},
	{"whiteout of dot", []entry{file("d/.wh..", "")}, nil},
	{"directory called like a whiteout", []entry{dir(".wh..."), file(".wh.../x", "x")}, nil},
}

// at puts the canary's path in place of @.
func at(entries []entry, canary string) []entry {
	out := make([]entry, len(entries))
	for i, e := range entries {
		e.name = strings.ReplaceAll(e.name, "@", canary)
		e.link = strings.ReplaceAll(e.link, "@", canary)
		out[i] = e
	}
	return out
}

// T35: no link and no ".." of a layer leads out of the directory.
func TestLayerBreakouts(t *testing.T) {
	for _, tc := range breakouts {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			before := fingerprint(t, w.canary)
			_, err := w.unpack(pack(t, at(tc.entries, w.canary)...))
			if after := fingerprint(t, w.canary); after != before {
				t.Fatal("the canary changed")
			}
			if names, _ := os.ReadDir(w.top); len(names) != 2 {
				t.Fatalf("beside the target: %v", names)
			}
			if (err == nil) != (tc.want != nil) {
				t.Fatalf("err = %v, want refusal: %v", err, tc.want == nil)
			}
			w.has(tc.want)
			w.removeDst()
			if after := fingerprint(t, w.canary); after != before {
				t.Fatal("the canary changed with the removal")
			}
		})
	}
}

// The same layers do reach the canary when paths are joined: the corpus is not harmless.
func TestLayerBreakoutsControl(t *testing.T) {
	escaped := 0
	for _, tc := range breakouts {
		w := newWorld(t)
		before := fingerprint(t, w.canary)
		joinAndHope(w, pack(t, at(tc.entries, w.canary)...))
		if fingerprint(t, w.canary) != before {
			escaped++
		}
	}
	t.Logf("%d of %d escape", escaped, len(breakouts))
	if escaped < 15 {
		t.Errorf("only %d of %d layers are dangerous to an unpacker that joins paths", escaped, len(breakouts))
	}
}

// joinAndHope is the unpacker that everybody writes first, kept in a cage: it acts only where every link on the way
// still ends inside the test's own directory, because it does what a hostile layer says.
func joinAndHope(w *world, r io.Reader) {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return
		}
		path := filepath.Join(w.dst, h.Name)
		if !w.cages(path) {
			continue
		}
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		dir, base := filepath.Split(path)
		switch {
		case strings.HasPrefix(base, ".wh."):
			_ = os.Remove(filepath.Join(dir, strings.TrimPrefix(base, ".wh.")))
		case h.Typeflag == tar.TypeReg:
			b, _ := io.ReadAll(tr)
			_ = os.WriteFile(path, b, 0o600)
		case h.Typeflag == tar.TypeDir:
			_ = os.MkdirAll(path, 0o755)
		case h.Typeflag == tar.TypeSymlink:
			_ = os.Symlink(h.Linkname, path)
		case h.Typeflag == tar.TypeLink && w.cages(filepath.Join(w.dst, h.Linkname)):
			_ = os.Link(filepath.Join(w.dst, h.Linkname), path)
		}
	}
}

// cages reports whether path, with all links resolved as far as it exists, is the target, the canary, or below one.
func (w *world) cages(path string) bool {
	for ; path != "/"; path = filepath.Dir(path) {
		if fi, err := os.Lstat(path); err != nil {
			continue
		} else if fi.Mode()&os.ModeSymlink != 0 {
			if _, err := os.Stat(path); err != nil {
				return false // dangling: who knows where it would be made
			}
		}
		real, err := filepath.EvalSymlinks(path)
		rel, rerr := filepath.Rel(w.top, real)
		return err == nil && rerr == nil && rel != ".." && !strings.HasPrefix(rel, "../")
	}
	return false
}

// T36: a directory exchanged for a link to the canary, over and over while layers are unpacked and removed.
func TestLayerRace(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	rounds := 1000
	if strings.Contains(t.Name(), "/") { // one of several ways
		rounds = 200
	}
	w := newWorld(t)
	before := fingerprint(t, w.canary)
	race(t, w, rounds, func(r io.Reader) {
		_, _ = w.unpack(r) // may fail, must not escape
	})
	if fingerprint(t, w.canary) != before {
		t.Fatal("the canary changed")
	}
	// The control shows that the race is one that a careless unpacker loses.
	control := newWorld(t)
	before = fingerprint(t, control.canary)
	lost := false
	for range 20 {
		race(t, control, rounds/10, func(r io.Reader) { joinAndHope(control, r) })
		if lost = fingerprint(t, control.canary) != before; lost {
			break
		}
	}
	if !lost {
		t.Error("the control never escaped: the race proves nothing")
	}
}

func race(t *testing.T, w *world, rounds int, unpack func(io.Reader)) {
	t.Helper()
	var entries []entry
	for _, n := range []string{"0", "1"} {
		entries = append(entries, dir("d"), file("d/secret", n), dir("d/sub"), file("d/sub/file", n), file("d/sub/.wh.x", ""))
	}
	layer, err := io.ReadAll(pack(t, entries...))
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { // flips as long as there is something to flip
		evil := filepath.Join(w.top, "evil")
		_ = os.Symlink(w.canary, evil)
		for !stop.Load() {
			_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(w.dst, "d"), unix.AT_FDCWD, evil, unix.RENAME_EXCHANGE)
		}
	})
	top, err := os.Open(w.top)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	for range rounds {
		unpack(strings.NewReader(string(layer)))
		if err := RemoveAll(top, "dst"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(w.dst, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wg.Wait()
	if err := RemoveAll(top, "evil"); err != nil {
		t.Fatal(err)
	}
}
