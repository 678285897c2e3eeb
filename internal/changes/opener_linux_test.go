package changes_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// oneID is a proxy in a user namespace with one id, as a container of an ordinary user has it.
func oneID() (*proxy.Proxy, error) {
	return proxy.Start(proxy.Options{
		Enter: func(tp *tape.Tape) { tp.Unshare(sys.CLONE_NEWUSER) },
		Map: func(pid int) error {
			proc := fmt.Sprintf("/proc/%d/", pid)
			return errors.Join(
				os.WriteFile(proc+"setgroups", []byte("deny"), 0),
				os.WriteFile(proc+"uid_map", fmt.Appendf(nil, "0 %d 1", os.Geteuid()), 0),
				os.WriteFile(proc+"gid_map", fmt.Appendf(nil, "0 %d 1", os.Getegid()), 0))
		},
		Prelude: func(tp *tape.Tape) { tp.Setresgid(0); tp.Setresuid(0) },
	})
}

func startProxy(t testing.TB, start func() (*proxy.Proxy, error)) *proxy.Proxy {
	t.Helper()
	p, err := start()
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

// sameThrough compares what two openers make of a tree.
func sameThrough(t *testing.T, s *scene, one, other changes.Tree) {
	t.Helper()
	if got, want := s.list(other), s.list(one); !slices.Equal(got, want) {
		t.Errorf("list:\n%q\nwant\n%q", got, want)
	}
	for name, write := range map[string]func(io.Writer, changes.Tree) (changes.Result, error){
		"layer": func(w io.Writer, tree changes.Tree) (changes.Result, error) {
			return changes.WriteLayer(t.Context(), w, tree)
		},
		"export": func(w io.Writer, tree changes.Tree) (changes.Result, error) {
			return changes.Export(t.Context(), w, tree)
		},
	} {
		var a, b bytes.Buffer
		want, err := write(&a, one)
		must(t, err)
		got, err := write(&b, other)
		must(t, err)
		if got.DiffID != want.DiffID || got.Entries != want.Entries || got.Skips != want.Skips {
			t.Errorf("%s: %+v, want %+v", name, got, want)
			compare(t, name, described(t, b.Bytes()), described(t, a.Bytes()))
		}
	}
}

// A proxy reads what the program itself reads.
func TestProxiedReadsTheSame(t *testing.T) {
	testneed.UserNamespaces(t)
	s := newScene(t, true)
	s.addLower(fill(t))
	s.inside("", strings.ReplaceAll(script, "chmod 000 secret secret/file", ":"))
	up := s.at("upper/")
	must(t, unix.Setxattr(up+"/fresh/second", "user.note", bytes.Repeat([]byte("x"), 3000), 0))
	must(t, unix.Setxattr(up+"/fresh/dir", "user.dir", []byte("x"), 0))
	for i := range 200 {
		put(t, up, fmt.Sprintf("many/%d", i), fmt.Sprint(i))
		must(t, os.Symlink(fmt.Sprint(i), fmt.Sprintf("%s/many/link%d", up, i)))
		if i%7 == 0 {
			must(t, os.Mkdir(fmt.Sprintf("%s/many/%d.d", up, i), 0o755))
			must(t, unix.Setxattr(fmt.Sprintf("%s/many/%d", up, i), "user.i", fmt.Append(nil, i), 0))
		}
	}
	through := s.tree()
	through.Opener = changes.Proxied{Proxy: startProxy(t, oneID)}
	through.Limits.Names = 3000
	sameThrough(t, s, s.tree(), through)
}

func TestProxiedDeepTree(t *testing.T) {
	testneed.UserNamespaces(t)
	s := newScene(t, true)
	s.addLower(func(string) {})
	deep(t, s.at("upper"), "d", 500)
	tree, through := s.tree(), s.tree()
	tree.Limits.Depth = 1000
	through.Limits.Depth, through.Limits.Names = 1000, 1
	through.Opener = changes.Proxied{Proxy: startProxy(t, oneID)}
	sameThrough(t, s, tree, through)
}

// No name but a regular file's is opened, and every error is of the name that has it.
func TestOpenersRefuse(t *testing.T) {
	testneed.UserNamespaces(t)
	s := newScene(t, true)
	up := s.at("upper/")
	put(t, up, "file", "content")
	must(t, unix.Mkfifo(up+"/fifo", 0o600))
	must(t, os.Symlink("file", up+"/link"))
	must(t, os.Symlink(".", up+"/dirlink"))
	fallback := &changes.Fallback{Start: oneID}
	defer fallback.Close()
	for _, o := range []changes.Opener{changes.Direct{}, changes.Proxied{Proxy: startProxy(t, oneID)}, fallback} {
		d, err := o.Root(s.open("upper"))
		must(t, err)
		files := d.Files([]string{"fifo", "file", "link", "none", "file"}, func(string) bool { return true })
		for i, f := range files {
			b, err := []byte(nil), f.Err
			if err == nil {
				b, err = io.ReadAll(f)
				_ = f.Close()
			}
			if ok := i == 1 || i == 4; ok != (string(b) == "content" && err == nil) && i != 0 {
				t.Errorf("%T: file %d: %q, %v", o, i, b, err)
			}
		}
		for _, name := range []string{"file", "fifo", "link", "dirlink", "none", "..", "a/b"} {
			if sub, err := d.Dir(name); err == nil {
				t.Errorf("%T: %s is a directory", o, name)
				sub.Close()
			}
		}
		if l := d.Looks([]string{"none"})[0]; !errors.Is(l.Err, fs.ErrNotExist) {
			t.Errorf("%T: %+v", o, l)
		}
		if l := d.Links([]string{"link", "file"}); l[0].Target != "file" || l[1].Err != unix.EINVAL {
			t.Errorf("%T: %+v", o, l)
		}
		d.Close()
	}
}

// What an ordinary user's container has closed to everybody is read nevertheless.
func TestFallbackReadsWhatItsOwnerMayNot(t *testing.T) {
	testneed.Unprivileged(t)
	testneed.UserNamespaces(t)
	s := newScene(t, true)
	s.addLower(fill(t))
	s.inside("", script+"mkdir listed; echo a > listed/a; ln -s a listed/b; mkdir listed/sub; chmod 400 listed; chmod 000 usr/bin/a usr/lib")
	want := s.view("upper")
	tree := s.tree()
	tree.Opener = changes.Direct{}
	if _, err := changes.WriteLayer(t.Context(), io.Discard, tree); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without a proxy: %v", err)
	}
	fallback := &changes.Fallback{Start: oneID}
	defer fallback.Close()
	tree.Opener = fallback
	if got := s.list(tree); !slices.Contains(got, "A /secret/file") || !slices.Contains(got, "A /listed/sub") {
		t.Errorf("%q", got)
	}
	_, b := s.layer(tree)
	s.unpack(bytes.NewReader(b), "again")
	compare(t, "the container with the layer", s.view("again"), want)
	through := s.tree()
	through.Opener = changes.Proxied{Proxy: startProxy(t, oneID)}
	sameThrough(t, s, through, tree)
}

func TestFallbackWithoutAProxy(t *testing.T) {
	testneed.Unprivileged(t)
	s := newScene(t, true)
	put(t, s.at("upper"), "secret/file", "")
	must(t, os.Chmod(s.at("upper/secret"), 0))
	why := errors.New("no namespace for it")
	tree := s.tree()
	tree.Opener = &changes.Fallback{Start: func() (*proxy.Proxy, error) { return nil, why }}
	_, err := changes.WriteLayer(t.Context(), io.Discard, tree)
	if !errors.Is(err, why) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

// ranges are the subordinate ids of the user, and how newuidmap(1) is told of them.
func ranges(t testing.TB) (start func() (*proxy.Proxy, error), owner func(uid, gid int) (int, int, error)) {
	t.Helper()
	testneed.Unprivileged(t)
	testneed.SubordinateIDs(t)
	type source struct {
		file, tool string
		own, first int
	}
	sources := []source{{"/etc/subuid", "newuidmap", os.Geteuid(), 0}, {"/etc/subgid", "newgidmap", os.Getegid(), 0}}
	user, err := exec.Command("id", "-un").Output()
	must(t, err)
	for i := range sources {
		b, err := os.ReadFile(sources[i].file)
		must(t, err)
		for line := range strings.Lines(string(b)) {
			var first, count int
			name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			if _, err := fmt.Sscanf(rest, "%d:%d", &first, &count); err != nil || count < 100 {
				continue
			}
			if name == strings.TrimSpace(string(user)) || name == fmt.Sprint(os.Geteuid()) {
				sources[i].first = first
			}
		}
	}
	start = func() (*proxy.Proxy, error) {
		return proxy.Start(proxy.Options{
			Enter: func(tp *tape.Tape) { tp.Unshare(sys.CLONE_NEWUSER) },
			Map: func(pid int) error {
				for _, s := range sources {
					err := exec.Command(s.tool, fmt.Sprint(pid), "0", fmt.Sprint(s.own), "1", "1", fmt.Sprint(s.first), "100").Run()
					if err != nil {
						return err
					}
				}
				return nil
			},
			Prelude: func(tp *tape.Tape) { tp.Setresgid(0); tp.Setresuid(0) },
		})
	}
	owner = func(uid, gid int) (int, int, error) {
		ids := []int{uid, gid}
		for i, s := range sources {
			switch id := ids[i]; {
			case id == s.own:
				ids[i] = 0
			case id >= s.first && id < s.first+100:
				ids[i] = id - s.first + 1
			default:
				return 0, 0, fmt.Errorf("%d has no place in the container", id)
			}
		}
		return ids[0], ids[1], nil
	}
	return start, owner
}

// Files of subordinate ids are no business of the user's own processes. The layer has them with the owners that the
// container sees.
func TestFallbackReadsFilesOfSubordinateIDs(t *testing.T) {
	start, owner := ranges(t)
	p := startProxy(t, start)
	s := newScene(t, true)
	s.addLower(fill(t))
	top := s.at("upper") + "/"
	must(t, p.Do(func(tp *tape.Tape) {
		tp.Umask(0)
		for i, dir := range []string{"private", "private/sub", "open"} {
			tp.Mkdirat(tape.Cwd, top+dir, []uint32{0o700, 0o700, 0o755}[i])
			for j := range 50 {
				fd := tp.Slot("fd")
				name := fmt.Sprintf("%s/file%d", top+dir, j)
				tp.Openat(tape.Cwd, name, sys.O_CREAT|sys.O_WRONLY, 0o600).To(fd)
				tp.Write(fd, name)
				tp.Close(fd)
				tp.Fchownat(tape.Cwd, name, uint32(j), uint32(2*j), 0)
			}
			tp.Symlinkat("target", tape.Cwd, top+dir+"/link")
			tp.Fchownat(tape.Cwd, top+dir+"/link", 11, 12, sys.AT_SYMLINK_NOFOLLOW)
			fd := tp.Slot("fd")
			tp.Openat(tape.Cwd, top+dir+"/file3", sys.O_RDONLY, 0).To(fd)
			tp.Fchmodat(tape.Cwd, top+dir+"/file3", 0o4755)
			tp.Fsetxattr(fd, "security.capability", "\x01\x00\x00\x02\x00\x04"+strings.Repeat("\x00", 14))
			tp.Fsetxattr(fd, "user.note", "text")
			tp.Close(fd)
			tp.Fchownat(tape.Cwd, top+dir, 33, 33, 0)
		}
	}))
	t.Cleanup(func() { // the user's own processes cannot
		for _, top := range []string{"upper", "copy"} {
			fd, err := p.Send(s.open(top))
			must(t, err)
			for _, d := range []string{"private", "open"} {
				must(t, proxy.RemoveAll(p, tape.Int(fd), d))
			}
		}
	})
	tree := s.tree()
	tree.Owner = owner
	fallback := &changes.Fallback{Start: start}
	defer fallback.Close()
	tree.Opener = fallback
	_, b := s.layer(tree)
	_, byName := entries(t, b)
	if h := byName["private/file3"]; h == nil || h.Mode != 0o4755 || len(h.PAXRecords["SCHILY.xattr.security.capability"]) != 20 {
		t.Errorf("the file with capabilities is %+v", h)
	}
	for name, want := range map[string][2]int{"private/": {33, 33}, "private/sub/file7": {7, 14}, "private/link": {11, 12}, "open/file0": {0, 0}, "open/file49": {49, 98}} {
		if h := byName[name]; h == nil || h.Uid != want[0] || h.Gid != want[1] || h.Size == 0 && h.Typeflag == '0' {
			t.Errorf("%s is %+v", name, h)
		}
	}
	through := s.tree()
	through.Opener, through.Owner = changes.Proxied{Proxy: p}, owner
	sameThrough(t, s, through, tree)

	must(t, os.Mkdir(s.at("copy"), 0o700))
	_, err := changes.Clone(t.Context(), tree, s.open("copy"))
	must(t, err)
	copied := tree
	copied.Upper = s.open("copy")
	sameThrough(t, s, tree, copied)

	must(t, os.WriteFile(s.at("upper/mine"), nil, 0o600))
	tree.Owner = func(int, int) (int, int, error) { return 0, 0, fs.ErrInvalid }
	if _, err := changes.WriteLayer(t.Context(), io.Discard, tree); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("an owner without a place: %v", err)
	}
}
