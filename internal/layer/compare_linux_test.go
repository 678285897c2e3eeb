package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// compare unpacks a layer, changes it, and compares.
func (w *world) compare(stream []byte, change func()) Comparison {
	w.t.Helper()
	made, err := w.unpack(bytes.NewReader(stream))
	if err != nil {
		w.t.Fatalf("Unpack: %v", err)
	}
	if change != nil {
		change()
	}
	d := w.open()
	defer d.Close()
	c, err := Compare(w.t.Context(), d, bytes.NewReader(stream), Defaults(), made)
	if err != nil {
		w.t.Errorf("Compare: %v", err)
	}
	return c
}

func packed(t testing.TB, entries ...entry) []byte {
	t.Helper()
	b, err := io.ReadAll(pack(t, entries...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func attr(name, value string) map[string]string { return map[string]string{paxXattr + name: value} }

// rich has one of everything.
func rich(t testing.TB) []byte {
	return packed(t,
		dir("./"), dir("a"), file("a/f", "content"), hard("a/g", "a/f"), link("a/l", "f"), link("abs", "/a"),
		file("abs/through", "a link"), file("implied/x/y", "1"), fifo("pipe"), node("dev", 1, 3),
		file("big", strings.Repeat("0123456789", 40_000)), file("empty", ""),
		entry{name: "suid", mode: 0o4755, body: "x", time: time.Unix(1234567890, 123456789)},
		entry{name: "secret", typ: tar.TypeDir, mode: 0o500}, file("secret/in", "it"),
		entry{name: "attr", body: "x", pax: attr("user.test", "value")},
		entry{name: "attrdir", typ: tar.TypeDir, pax: attr("user.test", "value")},
		file(".wh.hidden", ""), file("opaque/.wh..wh..opq", ""), file("opaque/f", ""), file("a/.wh.other", ""),
		file("twice", "first"), file("twice", "second, longer"), dir("was"), file("was/in", ""), file("was", "now a file"),
		file("wasfile", ""), dir("wasfile"), file("wasfile/in", ""), link("dangling", "not/here"), file("dangling/made", "x"),
		file("a/.wh..wh.aufs", ""), hard("implied/hard", "big"),
	)
}

func TestCompareSame(t *testing.T) {
	w := newWorld(t)
	c := w.compare(rich(t), nil)
	for _, d := range c.Differences {
		t.Errorf("%s %s", d.Path, d.What)
	}
	if c.Entries < 30 || c.Unread != 0 {
		t.Errorf("%+v", c)
	}
}

// What Unpack takes, Compare finds to be the same, whatever it is.
func TestCompareRandom(t *testing.T) {
	const rounds = 200
	good := 0
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 47))
		var entries []entry
		for range 1 + r.IntN(25) {
			entries = append(entries, randomEntry(r))
		}
		stream := packed(t, entries...)
		w := newWorld(t)
		made, err := w.unpack(bytes.NewReader(stream))
		if err != nil {
			continue
		}
		good++
		d := w.open()
		c, err := Compare(t.Context(), d, bytes.NewReader(stream), Defaults(), made)
		d.Close()
		if err != nil || len(c.Differences) > 0 {
			t.Errorf("seed %d: %v, %v\n%s", seed, c.Differences, err, describeEntries(entries))
		}
	}
	if good < rounds/5 {
		t.Errorf("only %d of %d could be unpacked", good, rounds)
	}
}

func randomEntry(r *rand.Rand) entry {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = string(rune('a' + r.IntN(4)))
	}
	e := entry{name: strings.Join(parts, "/"), time: time.Unix(int64(r.IntN(1<<30)), int64(r.IntN(1e9)))}
	e.mode = int64(r.IntN(0o10000)) | 0o400
	switch k := r.IntN(20); {
	case k < 7:
		e.body = strings.Repeat("x", r.IntN(3))
	case k < 12:
		e.typ, e.mode = tar.TypeDir, e.mode|0o700
	case k < 15:
		e.typ, e.link = tar.TypeSymlink, []string{"a", "../b", "/c", "a/b", "/", "..", "d/c/a"}[r.IntN(7)]
	case k < 17:
		e.typ, e.link = tar.TypeLink, []string{"a", "b", "a/b", "b/a"}[r.IntN(4)]
	case k < 18:
		e.typ = tar.TypeFifo
	case k < 19:
		parts[len(parts)-1] = ".wh." + parts[len(parts)-1]
		e.name = strings.Join(parts, "/")
	default:
		e.name += "/.wh..wh..opq"
	}
	return e
}

func describeEntries(entries []entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%q %q -> %q %o\n", e.typ, e.name, e.link, e.mode)
	}
	return b.String()
}

// T47: whatever is changed, in whatever file, is found.
func TestCompareDamage(t *testing.T) {
	stream, found := rich(t), 0
	kinds := map[string]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		var what string
		c := w.compare(stream, func() { what = w.damage(r) })
		kinds[strings.Fields(what)[0]]++
		if len(c.Differences) == 0 {
			t.Errorf("seed %d: not found: %s", seed, what)
			continue
		}
		found++
	}
	if found != 100 || len(kinds) < 8 {
		t.Errorf("found %d of 100; kinds: %v", found, kinds)
	}
}

// damage changes one thing.
func (w *world) damage(r *rand.Rand) string {
	w.t.Helper()
	for {
		paths := w.paths()
		path := paths[r.IntN(len(paths))]
		fi, err := os.Lstat(filepath.Join(w.dst, path))
		if err != nil {
			w.t.Fatal(err)
		}
		if what := w.damageOne(r, path, fi); what != "" {
			return what + " of " + path
		}
	}
}

func (w *world) paths() []string {
	var paths []string
	err := filepath.WalkDir(w.dst, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(w.dst, path)
		paths = append(paths, rel)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// damageOne changes a thing, and only that: times are put back.
func (w *world) damageOne(r *rand.Rand, path string, fi fs.FileInfo) string {
	w.t.Helper()
	full := filepath.Join(w.dst, path)
	up, err := os.Lstat(filepath.Dir(full))
	if err != nil {
		w.t.Fatal(err)
	}
	keep := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
		for p, i := range map[string]fs.FileInfo{full: fi, filepath.Dir(full): up} {
			if now, err := os.Lstat(p); err == nil && now.Mode().Type() == i.Mode().Type() && i.Mode().Type() != fs.ModeSymlink && path != "." {
				if err := os.Chtimes(p, i.ModTime(), i.ModTime()); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
	if os.Geteuid() != 0 && up.Mode()&0o200 == 0 {
		return ""
	}
	whiteout := fi.Mode()&fs.ModeDevice != 0
	switch k := r.IntN(9); {
	case k == 0 && fi.Mode().IsRegular() && fi.Size() > 0:
		b, err := os.ReadFile(full)
		if err != nil {
			w.t.Fatal(err)
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		keep(os.WriteFile(full, b, 0))
		w.restore(full, fi)
		return "content"
	case k == 1 && fi.Mode().IsRegular() && fi.Size() > 0:
		keep(os.Truncate(full, fi.Size()-1))
		w.restore(full, fi)
		return "length"
	case k == 2 && fi.Mode().Type() != fs.ModeSymlink && !whiteout:
		keep(syscall.Chmod(full, fi.Sys().(*syscall.Stat_t).Mode&0o7777^1<<r.IntN(12)))
		return "mode"
	case k == 3 && path != ".":
		name := []byte(fi.Name())
		name[len(name)-1] ^= 1 << r.IntN(3)
		if name[len(name)-1] == '/' || string(name) == "." || string(name) == ".." {
			return ""
		}
		keep(os.Rename(full, filepath.Join(filepath.Dir(full), string(name))))
		return "name"
	case k == 4 && !whiteout && fi.Mode().Type() != fs.ModeSymlink:
		if err := os.Chtimes(full, time.Time{}, fi.ModTime().Add(1<<r.IntN(40))); err != nil {
			w.t.Fatal(err)
		}
		return "time"
	case k == 5 && path != "." && !fi.IsDir():
		keep(os.Remove(full))
		return "loss"
	case k == 6 && fi.IsDir():
		keep(os.WriteFile(filepath.Join(full, "extra"), nil, 0o600))
		return "extra"
	case k == 7 && fi.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(full)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.Remove(full); err != nil {
			w.t.Fatal(err)
		}
		keep(os.Symlink(target+"x", full))
		return "target"
	case k == 8 && (fi.Mode().IsRegular() || fi.IsDir()):
		if err := syscall.Setxattr(full, "user.extra", []byte("1"), 0); err != nil {
			return ""
		}
		return "attribute"
	}
	return ""
}

// restore puts back the set-user-id bit, which writing takes away.
func (w *world) restore(path string, fi fs.FileInfo) {
	w.t.Helper()
	if err := os.Chmod(path, fi.Mode()); err != nil {
		w.t.Fatal(err)
	}
}

// A link that has become a copy is not the same, nor are two files that have become one.
func TestCompareLinks(t *testing.T) {
	stream := packed(t, file("a", "x"), hard("b", "a"), file("c", "x"))
	for name, change := range map[string]func(w *world) error{
		"copy": func(w *world) error {
			return os.Rename(filepath.Join(w.dst, "c"), filepath.Join(w.dst, "b"))
		},
		"one": func(w *world) error {
			if err := os.Remove(filepath.Join(w.dst, "c")); err != nil {
				return err
			}
			return os.Link(filepath.Join(w.dst, "a"), filepath.Join(w.dst, "c"))
		},
	} {
		w := newWorld(t)
		c := w.compare(stream, func() {
			if err := change(w); err != nil {
				t.Fatal(err)
			}
		})
		if len(c.Differences) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
