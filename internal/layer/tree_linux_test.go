package layer

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// world is a target directory with a canary beside it that nothing may touch.
type world struct {
	t      testing.TB
	top    string // holds dst and canary
	dst    string
	canary string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, top: top, dst: filepath.Join(top, "dst"), canary: filepath.Join(top, "canary")}
	for _, d := range []string{w.dst, w.canary, filepath.Join(w.canary, "sub")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"secret", "sub/file"} {
		if err := os.WriteFile(filepath.Join(w.canary, f), []byte("alive"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.removeDst) // t.TempDir can not remove directories without permissions
	return w
}

func (w *world) open() *os.File {
	w.t.Helper()
	d, err := os.Open(w.dst)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) removeDst() {
	w.t.Helper()
	top, err := os.Open(w.top)
	if err != nil {
		w.t.Fatal(err)
	}
	defer top.Close()
	if err := RemoveAll(top, "dst"); err != nil {
		w.t.Errorf("RemoveAll: %v", err)
	}
}

// unpack unpacks with options that work for whoever runs the test.
func (w *world) unpack(r io.Reader) (Stats, error) {
	w.t.Helper()
	return w.unpackWith(r, Defaults())
}

func (w *world) unpackWith(r io.Reader, o Options) (Stats, error) {
	w.t.Helper()
	d := w.open()
	defer d.Close()
	return unpackBy(w.t.Context(), d, r, o, takersFor(w.t, &o))
}

func (w *world) mustUnpack(entries ...entry) Stats {
	w.t.Helper()
	st, err := w.unpack(pack(w.t, entries...))
	if err != nil {
		w.t.Fatalf("Unpack: %v", err)
	}
	return st
}

// list describes everything below a directory: type, mode, content, links, whiteouts and opaque marks.
func list(t testing.TB, top string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		out[rel] = describe(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func describe(t testing.TB, path string) string {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	switch fi.Mode().Type() {
	case fs.ModeSymlink:
		target, _ := os.Readlink(path)
		return "-> " + target
	case fs.ModeNamedPipe:
		return "fifo " + fi.Mode().Perm().String()
	case fs.ModeDevice | fs.ModeCharDevice:
		if st.Rdev == 0 {
			return "whiteout"
		}
		return fmt.Sprintf("char %d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	case fs.ModeDir:
		if opaque(path) {
			return "opaque dir " + fi.Mode().String()
		}
		return "dir " + fi.Mode().String()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "file " + fi.Mode().String()
	}
	return "file " + fi.Mode().String() + " " + string(b)
}

func opaque(path string) bool {
	buf := make([]byte, 8)
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		if n, err := unix.Lgetxattr(path, name, buf); err == nil && string(buf[:n]) == "y" {
			return true
		}
	}
	return false
}

// print is a digest of a tree with everything that an escape could change: content, owners, modes, times, link counts
// and attributes.
func fingerprint(t testing.TB, top string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		attrs := make([]byte, 1024)
		n, _ := unix.Llistxattr(path, attrs)
		fmt.Fprintf(h, "%s %v %d:%d %d %v %q\n", path, fi.Mode(), st.Uid, st.Gid, st.Nlink, st.Mtim, attrs[:max(n, 0)])
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h.Write(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// has compares a part of a listing.
func (w *world) has(want map[string]string) {
	w.t.Helper()
	got := list(w.t, w.dst)
	for path, is := range want {
		if is == "" {
			if _, ok := got[path]; ok {
				w.t.Errorf("%s is there: %q", path, got[path])
			}
			continue
		}
		if !strings.HasPrefix(got[path], is) {
			w.t.Errorf("%s is %q, want %q", path, got[path], is)
		}
	}
}
