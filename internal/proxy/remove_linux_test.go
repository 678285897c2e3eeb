package proxy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// site is a directory that holds a tree to remove, and a canary that must not change.
type site struct {
	dir, canary string
	before      string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{dir: dir, canary: filepath.Join(dir, "canary")}
	must(t, os.MkdirAll(s.canary+"/sub", 0o755))
	for _, f := range []string{"a", "b", "sub/c"} {
		must(t, os.WriteFile(filepath.Join(s.canary, f), []byte(f), 0o644))
	}
	s.before = fingerprint(t, s.canary)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fingerprint is the names, types, modes, owners and bytes of a tree.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		fmt.Fprintln(&b, path, fi.Mode(), st.Uid, st.Gid)
		if fi.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%q %v\n", content, err)
		}
		return nil
	})
	must(t, err)
	return b.String()
}

func (s *site) intact(t *testing.T) {
	t.Helper()
	if now := fingerprint(t, s.canary); now != s.before {
		t.Errorf("the canary has changed:\n%s\nbefore:\n%s", now, s.before)
	}
}

// gone removes the tree and checks that it, and nothing else, went.
func (s *site) gone(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	d, err := os.Open(s.dir)
	must(t, err)
	defer func() { _ = d.Close() }()
	n, err := p.Send(d)
	must(t, err)
	defer func() { must(t, p.Do(func(tp *tape.Tape) { tp.Close(tape.Int(n)) })) }()
	if err := proxy.RemoveAll(p, tape.Int(n), "tree"); err != nil {
		t.Errorf("RemoveAll: %v", err)
	}
	if _, err := os.Lstat(s.dir + "/tree"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tree is still there: %v", err)
	}
	names, err := os.ReadDir(s.dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left beside the canary: %v, %v", names, err)
	}
	s.intact(t)
}

// plant makes a tree of every kind of entry.
func (s *site) plant(t *testing.T) {
	t.Helper()
	tree := s.dir + "/tree"
	must(t, os.MkdirAll(tree+"/a/b/c", 0o755))
	must(t, os.MkdirAll(tree+"/empty", 0o755))
	for _, f := range []string{"f", "a/f", "a/b/f", "a/b/c/f", "a/new\nline", "a/" + strings.Repeat("x", 255)} {
		must(t, os.WriteFile(filepath.Join(tree, f), []byte("x"), 0o600))
	}
	must(t, os.Link(s.canary+"/a", tree+"/a/hardlink"))
	must(t, os.Symlink(s.canary, tree+"/absolute"))
	must(t, os.Symlink("../../canary", tree+"/a/relative"))
	must(t, os.Symlink(s.canary+"/b", tree+"/a/b/file"))
	must(t, os.Symlink("loop", tree+"/a/loop"))
	must(t, os.Symlink("/", tree+"/a/b/c/root"))
	must(t, syscall.Mkfifo(tree+"/a/fifo", 0o600))
	for _, d := range []string{"dark", "a/dark", "a/dark2"} {
		must(t, os.MkdirAll(filepath.Join(tree, d, "in/side"), 0o755))
		must(t, os.WriteFile(filepath.Join(tree, d, "in/f"), nil, 0))
		must(t, os.Chmod(filepath.Join(tree, d, "in"), 0o500))
		must(t, os.Chmod(filepath.Join(tree, d), 0))
	}
	must(t, os.Chmod(tree+"/a/b/c", 0o300))
	must(t, os.Chmod(tree+"/empty", 0))
	must(t, os.Chmod(tree, 0o100))
}

func TestRemoveAllOfEveryKind(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		s := newSite(t)
		s.plant(t)
		s.gone(t, start(t, proxy.Options{}))
	})
	t.Run("one id", func(t *testing.T) {
		testneed.UserNamespaces(t)
		s := newSite(t)
		s.plant(t)
		s.gone(t, start(t, oneID()))
	})
	t.Run("small arena", func(t *testing.T) {
		s := newSite(t)
		s.plant(t)
		s.gone(t, start(t, proxy.Options{Arena: 1}))
	})
	t.Run("without privilege", func(t *testing.T) { // root becomes somebody who may not read what is 0000
		testneed.Root(t)
		s := newSite(t)
		s.plant(t)
		own(t, s.dir+"/tree", 61234)
		must(t, os.Chown(s.dir, 61234, 61234))
		s.gone(t, start(t, proxy.Options{Prelude: func(tp *tape.Tape) {
			tp.Setgroups(nil)
			tp.Setresgid(61234)
			tp.Setresuid(61234)
		}}))
	})
	t.Run("subordinate ids", func(t *testing.T) { // the proxy is root of a range that owns the tree
		testneed.Root(t)
		const first = 300000
		s := newSite(t)
		s.plant(t)
		own(t, s.dir+"/tree", first+33)
		must(t, os.Chown(s.dir, first, first))
		must(t, os.Chmod(s.dir, 0o755))
		s.gone(t, start(t, rangeOfIDs(first)))
	})
}

// rangeOfIDs are the options of a proxy that is root of a user namespace of 1,000 ids, and of nothing
// else. Root writes the maps, as newuidmap(1) would.
func rangeOfIDs(first int) proxy.Options {
	return proxy.Options{
		Enter: func(tp *tape.Tape) {
			tp.Setgroups(nil)
			tp.Unshare(sys.CLONE_NEWUSER)
		},
		Map: func(pid int) error {
			m := fmt.Appendf(nil, "0 %d 1000", first)
			return errors.Join(os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", pid), m, 0),
				os.WriteFile(fmt.Sprintf("/proc/%d/gid_map", pid), m, 0))
		},
		Prelude: func(tp *tape.Tape) { tp.Setresgid(0); tp.Setresuid(0) },
	}
}

// own gives a whole tree, but nothing that is also the canary's, to an id.
func own(t *testing.T, dir string, id int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "hardlink" {
			return err
		}
		return os.Lchown(path, id, id)
	}))
}

// A subordinate id's files cannot be removed without the namespace: the test above proves something.
func TestRemoveAllIsRefused(t *testing.T) {
	testneed.Root(t)
	s := newSite(t)
	s.plant(t)
	own(t, s.dir+"/tree", 300033)
	must(t, os.Chmod(s.dir, 0o777))
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) {
		tp.Chdir(s.dir)
		tp.Setgroups(nil)
		tp.Setresgid(61234)
		tp.Setresuid(61234)
	}})
	err := proxy.RemoveAll(p, tape.Cwd, "tree")
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%#v", err)
	}
	if _, err := os.Stat(s.dir + "/tree/a/b/c/f"); err != nil {
		t.Error(err)
	}
	s.intact(t)
}

func TestRemoveAllOfOtherThings(t *testing.T) {
	s := newSite(t)
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) { tp.Chdir(s.dir) }})
	must(t, os.WriteFile(s.dir+"/tree", nil, 0o600))
	s.gone(t, p)
	must(t, os.Symlink(s.canary, s.dir+"/tree"))
	s.gone(t, p)
	must(t, os.Mkdir(s.dir+"/tree", 0o000))
	s.gone(t, p)
	if err := proxy.RemoveAll(p, tape.Cwd, "not there"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "..", "canary/a", "/", "canary/", "x\x00y", strings.Repeat("x", 256)} {
		if err := proxy.RemoveAll(p, tape.Cwd, name); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%.10q: %v", name, err)
		}
	}
	if err := proxy.RemoveAll(p, tape.Int(99), "tree"); !errors.Is(err, syscall.EBADF) {
		t.Error(err)
	}
	s.intact(t)
}

// 2,000 levels of long names: 400 KB of path, which no system call takes in one piece.
func TestRemoveAllOfDeepTree(t *testing.T) {
	s := newSite(t)
	must(t, os.Mkdir(s.dir+"/tree", 0o755))
	d, err := sys.OpenDirat(unix.AT_FDCWD, s.dir+"/tree")
	must(t, err)
	name := strings.Repeat("d", 200)
	for range 2000 {
		must(t, sys.Mkdirat(d, name, 0o755))
		next, err := sys.OpenDirat(d, name)
		must(t, err)
		must(t, sys.CloseFD(d))
		d = next
	}
	must(t, sys.CloseFD(d))
	began := time.Now()
	s.gone(t, start(t, proxy.Options{}))
	t.Logf("2,000 levels in %v", time.Since(began).Round(time.Millisecond))
}

func TestRemoveAllOfWideTree(t *testing.T) {
	s := newSite(t)
	for i := range 300 {
		d := fmt.Sprintf("%s/tree/%d/%d", s.dir, i%17, i)
		must(t, os.MkdirAll(d, 0o755))
		for j := range 10 {
			must(t, os.WriteFile(fmt.Sprintf("%s/%d", d, j), nil, 0o600))
		}
	}
	for i := range 3000 {
		must(t, os.WriteFile(fmt.Sprintf("%s/tree/a name of some length that makes listings longer %d", s.dir, i), nil, 0o600))
	}
	began := time.Now()
	s.gone(t, start(t, proxy.Options{}))
	t.Logf("6,000 files and 317 directories in %v", time.Since(began).Round(time.Millisecond))
}

// What is mounted below stays, the directories that lead to it stay, and everything else goes.
func TestRemoveAllDoesNotEnterMounts(t *testing.T) {
	testneed.Root(t)
	s := newSite(t)
	tree := s.dir + "/tree"
	must(t, os.MkdirAll(tree+"/a/mnt", 0o755))
	must(t, os.MkdirAll(tree+"/b/c", 0o755))
	must(t, os.WriteFile(tree+"/b/file", nil, 0o600))
	must(t, os.WriteFile(tree+"/b/c/f", nil, 0o600))
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) {
		tp.Unshare(sys.CLONE_NEWNS)
		tp.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "")
		tp.Mount(s.canary, tree+"/a/mnt", "", sys.MS_BIND, "")
		tp.Mount(s.canary+"/a", tree+"/b/file", "", sys.MS_BIND, "")
		tp.Chdir(s.dir)
	}})
	err := proxy.RemoveAll(p, tape.Cwd, "tree")
	if !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EXDEV) {
		t.Errorf("RemoveAll: %v", err)
	}
	s.intact(t)
	if _, err := os.Stat(tree + "/b/c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not mounted stayed: %v", err)
	}
	// The top itself.
	must(t, p.Do(func(tp *tape.Tape) { tp.Mount(s.canary, tree, "", sys.MS_BIND, "") }))
	if err := proxy.RemoveAll(p, tape.Cwd, "tree"); !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a mount point: %v", err)
	}
	s.intact(t)
	p.Close() // and with it the mounts
	s.gone(t, start(t, proxy.Options{}))
}
