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
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson/internal/testneed"
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
	if st.Skips != 1 || st.Skipped[0].What != "device 1:3" || st.Implied != 3 || st.Bytes != 5 {
		t.Errorf("stats = %+v", st)
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

func TestLayerOwners(t *testing.T) {
	own := os.Geteuid()
	for _, tc := range []struct {
		name     string
		e        entry
		o        Options
		root     bool
		uid      int
		squashed int64
		err      error
	}{
		{name: "kept", e: entry{name: "f", uid: 1000, gid: 70000}, root: true, uid: 1000},
		{name: "largest", e: entry{name: "f", uid: 4294967294}, root: true, uid: 4294967294},
		{name: "symlink", e: entry{name: "f", typ: tar.TypeSymlink, link: "x", uid: 7}, root: true, uid: 7},
		{name: "fifo", e: entry{name: "f", typ: tar.TypeFifo, uid: 7}, root: true, uid: 7},
		{name: "dir", e: entry{name: "f", typ: tar.TypeDir, uid: 7}, root: true, uid: 7},
		{name: "minus one", e: entry{name: "f", uid: 4294967295}, err: ErrOwner},
		{name: "too large", e: entry{name: "f", gid: 1 << 32}, err: ErrOwner},
		{name: "squashed", e: entry{name: "f", uid: 1000}, o: Options{IgnoreOwners: true, UserXattr: true}, uid: own, squashed: 1},
		{name: "squashed root", e: entry{name: "f"}, o: Options{IgnoreOwners: true, UserXattr: true}, uid: own},
		{name: "mapped", e: entry{name: "f", uid: 5}, root: true, uid: 100005,
			o: Options{Owner: func(u, g int) (int, int, error) { return u + 100000, g + 100000, nil }}},
		{name: "unmapped", e: entry{name: "f", uid: 5}, err: fs.ErrPermission,
			o: Options{UserXattr: true, Owner: func(u, g int) (int, int, error) {
				if u != 0 {
					return 0, 0, fs.ErrPermission
				}
				return own, os.Getegid(), nil
			}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root {
				testneed.Root(t)
			}
			w := newWorld(t)
			st, err := w.unpackWith(pack(t, tc.e), tc.o)
			if tc.err != nil {
				if os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) {
					return // the chown of the root itself
				}
				if !errors.Is(err, tc.err) {
					t.Fatalf("err = %v, want %v", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			fi, err := os.Lstat(filepath.Join(w.dst, "f"))
			if err != nil {
				t.Fatal(err)
			}
			if got := int(fi.Sys().(*syscall.Stat_t).Uid); got != tc.uid || st.Squashed != tc.squashed {
				t.Errorf("uid %d, squashed %d; want %d, %d", got, st.Squashed, tc.uid, tc.squashed)
			}
		})
	}
}

// T37: what steers overlayfs never comes from a layer.
func TestLayerXattrs(t *testing.T) {
	w := newWorld(t)
	// struct vfs_cap_data of version 2: effective, cap_net_bind_service.
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	attrs := map[string]string{
		"user.kept": "yes", "security.capability": capability, "security.selinux": "x", "trusted.other": "x",
		"trusted.overlay.opaque": "y", "trusted.overlay.redirect": "/etc", "trusted.overlay.metacopy": "",
		"trusted.overlay.origin": "x", "user.overlay.opaque": "y", "user.overlay.redirect": "/etc",
		"user.overlay.whiteout": "y", "user.overlay.overlay.opaque": "y",
	}
	pax := map[string]string{}
	for k, v := range attrs {
		pax[paxXattr+k] = v
	}
	st := w.mustUnpack(
		entry{name: "d", typ: tar.TypeDir, pax: pax}, entry{name: "f", pax: pax},
		entry{name: "l", typ: tar.TypeSymlink, link: "f", pax: pax}, entry{name: "p", typ: tar.TypeFifo, pax: pax},
		node("raw", 0, 0),
	)
	for _, name := range []string{".", "d", "f", "l", "p"} {
		buf := make([]byte, 4096)
		n, err := unix.Llistxattr(filepath.Join(w.dst, name), buf)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, a := range strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
			if a != "" && a != "security.selinux" { // the host's own label
				kept = append(kept, a)
			}
		}
		want := ""
		if name == "d" || name == "f" {
			want = "user.kept"
		}
		if name == "f" && os.Geteuid() == 0 {
			want = "security.capability user.kept"
		}
		if got := strings.Join(kept, " "); got != want {
			// Directories take no file capability, or do, by file system; it means nothing there.
			if got != "security.capability "+want || name != "d" {
				t.Errorf("%s has %q, want %q", name, got, want)
			}
		}
	}
	w.has(map[string]string{"raw": ""})
	if st.Skips < 20 {
		t.Errorf("skips = %d: %v", st.Skips, st.Skipped)
	}
}

func TestLayerDevices(t *testing.T) {
	testneed.Root(t)
	w := newWorld(t)
	st, err := w.unpackWith(pack(t, node("null", 1, 3), node("raw", 0, 0),
		entry{name: "disk", typ: tar.TypeBlock, major: 8, minor: 0, mode: 0o600}), Options{Devices: true})
	if err != nil {
		t.Fatal(err)
	}
	w.has(map[string]string{"null": "char 1:3", "raw": "", "disk": "file Drw-------"})
	if st.Skips != 1 {
		t.Errorf("stats = %+v", st)
	}
}

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
