package changes_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// unpack unpacks a layer as the store does, into a directory of the scene.
func (s *scene) unpack(r io.Reader, name string) layer.Stats {
	s.t.Helper()
	must(s.t, os.Mkdir(s.at(name), 0o700))
	st, err := layer.Unpack(s.t.Context(), s.open(name), r, layer.Options{UserXattr: s.user, IgnoreOwners: s.user, Devices: true})
	must(s.t, err)
	return st
}

func compare(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if got[k] != want[k] {
			t.Errorf("%s: %s\n is  %s\nwant %s", what, k, got[k], want[k])
		}
	}
}

// What counts of a layer is what the container sees with it.
func TestLayerShowsTheSame(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		must(t, unix.Setxattr(s.at("upper/fresh/second"), "user.note", []byte("a\x00b\n"), 0))
		must(t, unix.Setxattr(s.at("upper/fresh/dir"), "user.note", []byte("d"), 0))
		want := s.view("upper")
		var b bytes.Buffer
		r, err := changes.WriteLayer(t.Context(), &b, s.tree())
		must(t, err)
		if h, n, _ := v1.SHA256(bytes.NewReader(b.Bytes())); h != r.DiffID || n != r.Size {
			t.Errorf("it says %v, %d bytes, and wrote %v, %d bytes", r.DiffID, r.Size, h, n)
		}
		if r.Skips != 0 {
			t.Errorf("it left out %+v", r.Skipped)
		}
		st := s.unpack(&b, "again")
		if st.Skips != 0 || st.Implied != 0 || st.Entries != r.Entries {
			t.Errorf("of %d entries, unpacked %+v", r.Entries, st)
		}
		compare(t, "the container with the layer", s.view("again"), want)
	})
}

func TestLayerIsTheSameEachTime(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		tree := s.tree()
		first, err := changes.WriteLayer(t.Context(), io.Discard, tree)
		must(t, err)
		tree.Limits.Names = 200
		second, err := changes.WriteLayer(t.Context(), io.Discard, tree)
		must(t, err)
		if first.DiffID != second.DiffID {
			t.Errorf("%v, then %v", first.DiffID, second.DiffID)
		}
	})
}

// entries reads the names and types of an archive.
func entries(t testing.TB, b []byte) (names []string, byName map[string]*tar.Header) {
	t.Helper()
	byName = map[string]*tar.Header{}
	tr := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return names, byName
		}
		must(t, err)
		names = append(names, h.Name)
		byName[h.Name] = h
	}
}

func (s *scene) layer(tree changes.Tree) (changes.Result, []byte) {
	s.t.Helper()
	var b bytes.Buffer
	r, err := changes.WriteLayer(s.t.Context(), &b, tree)
	must(s.t, err)
	return r, b.Bytes()
}

func TestLayerEntries(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(dir string) { put(t, dir, "d/x", ""); put(t, dir, "gone", "") })
		s.inside("", "rm gone; rm -r d; mkdir d; : > d/y; ln d/y z; : > etc; : > made; mkdir -p mount/point")
		must(t, os.Lchown(s.at("upper/z"), os.Geteuid(), os.Getegid()))
		l, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		must(t, err)
		defer syscall.Close(l)
		must(t, os.Chdir(s.at("upper")))
		defer os.Chdir("/")
		must(t, syscall.Bind(l, &syscall.SockaddrUnix{Name: "sock"}))
		put(t, s.at("upper"), ".wh.fake", "")
		put(t, s.at("upper"), ".wh..wh..opq", "")
		put(t, s.at("upper"), ".wh.dir/file", "")
		tree := s.tree()
		tree.Made = []string{"/made", "/mount", "/mount/point"}
		r, b := s.layer(tree)
		names, byName := entries(t, b)
		want := []string{"./", ".wh.gone", "d/", "d/.wh..wh..opq", "d/y", "etc", "z"}
		slices.Sort(want[1:])
		slices.Sort(names[1:])
		if !slices.Equal(names, want) {
			t.Errorf("entries %q, want %q", names, want)
		}
		if h := byName["z"]; h == nil || h.Typeflag != tar.TypeLink || h.Linkname != "d/y" {
			t.Errorf("z is %+v", h)
		}
		if r.Skips != 4 || len(r.Skipped) != 4 {
			t.Errorf("left out: %+v", r.Skipped)
		}
		for _, h := range byName {
			if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
				t.Errorf("%s belongs to %d:%d %q", h.Name, h.Uid, h.Gid, h.Uname)
			}
		}
	})
}

func TestLayerMapsOwners(t *testing.T) {
	testneed.Root(t)
	s := newScene(t, false)
	s.addLower(func(string) {})
	for i, name := range []string{"zero", "one", "root"} {
		put(t, s.at("upper"), name, "")
		must(t, os.Lchown(s.at("upper/"+name), 100000+i, 200000+i))
	}
	must(t, os.Lchown(s.at("upper"), 100000, 200000))
	must(t, os.Lchown(s.at("upper/root"), 100000, 200001))
	capability := make([]byte, 24)
	copy(capability, []byte{1, 0, 0, 3, 0, 4})
	capability[20], capability[21], capability[22] = 0xa0, 0x86, 0x01 // 100000
	must(t, unix.Setxattr(s.at("upper/root"), "security.capability", capability, 0))
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xa5, 0x86, 1, 0,
		4, 0, 4, 0, 255, 255, 255, 255, 0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 4, 0, 255, 255, 255, 255}
	err := unix.Setxattr(s.at("upper/one"), "system.posix_acl_access", acl, 0)
	testneed.Feature(t, "access control lists", err, "set TMPDIR to a directory of a file system that has them")
	tree := s.tree()
	tree.Owner = func(uid, gid int) (int, int, error) {
		if uid < 100000 || gid < 200000 {
			return 0, 0, errors.New("no place for it")
		}
		return uid - 100000, gid - 200000, nil
	}
	_, b := s.layer(tree)
	_, byName := entries(t, b)
	for name, want := range map[string][2]int{"zero": {0, 0}, "one": {1, 1}, "root": {0, 1}} {
		if h := byName[name]; h == nil || h.Uid != want[0] || h.Gid != want[1] {
			t.Errorf("%s is %+v", name, h)
		}
	}
	wantCap := "\x01\x00\x00\x02" + string(capability[4:20])
	if got := byName["root"].PAXRecords["SCHILY.xattr.security.capability"]; got != wantCap {
		t.Errorf("capability %x, want %x", got, wantCap)
	}
	acl[16], acl[17], acl[18] = 5, 0, 0
	if got := byName["one"].PAXRecords["SCHILY.xattr.system.posix_acl_access"]; got != string(acl) {
		t.Errorf("access control list %x, want %x", got, acl)
	}
	must(t, os.Lchown(s.at("upper/one"), 5, 5))
	_, err = changes.WriteLayer(t.Context(), io.Discard, tree)
	var e *changes.Error
	if !errors.As(err, &e) || e.Path != "/one" || !strings.Contains(err.Error(), "no place") {
		t.Errorf("an owner without a place: %v", err)
	}
}

// Nothing but a regular file is ever opened, and nothing that a name leads to.
func TestLayerOfNodes(t *testing.T) {
	testneed.Root(t)
	s := newScene(t, false)
	s.addLower(func(string) {})
	up := s.at("upper/")
	must(t, unix.Mkfifo(up+"/fifo", 0o600))
	must(t, unix.Mknod(up+"/null", unix.S_IFCHR|0o640, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(up+"/disk", unix.S_IFBLK|0o640, int(unix.Mkdev(259, 300))))
	must(t, os.Symlink("/etc/shadow", up+"/shadow"))
	must(t, os.Symlink("/etc", up+"/dir"))
	_, b := s.layer(s.tree())
	_, byName := entries(t, b)
	for name, want := range map[string]byte{"fifo": '6', "null": '3', "disk": '4', "shadow": '2', "dir": '2'} {
		if h := byName[name]; h == nil || h.Typeflag != want || h.Size != 0 {
			t.Errorf("%s is %+v", name, h)
		}
	}
	if h := byName["disk"]; h.Devmajor != 259 || h.Devminor != 300 {
		t.Errorf("disk is %d:%d", h.Devmajor, h.Devminor)
	}
}

func TestLayerSaysWhatItCannotRead(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		prefix := "trusted.overlay."
		if s.user {
			prefix = "user.overlay."
		}
		s.addLower(func(dir string) { put(t, dir, "a", "") })
		put(t, s.at("upper"), "d/file", "")
		for _, c := range []struct {
			name, mark string
			want       error
		}{{"d", "redirect", changes.ErrRedirect}, {"d/file", "metacopy", changes.ErrMetacopy}} {
			must(t, unix.Setxattr(s.at("upper/"+c.name), prefix+c.mark, []byte("x"), 0))
			_, err := changes.WriteLayer(t.Context(), io.Discard, s.tree())
			var e *changes.Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Path != "/"+c.name || e.Hint == "" {
				t.Errorf("%s: %v", c.mark, err)
			}
			must(t, unix.Removexattr(s.at("upper/"+c.name), prefix+c.mark))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := changes.WriteLayer(ctx, io.Discard, s.tree()); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// An archive has holes as zeros, and nobody can be made to write more of them than allowed.
func TestLayerBoundsFiles(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(string) {})
		put(t, s.at("upper"), "hole", "")
		must(t, os.Truncate(s.at("upper/hole"), 1<<40))
		_, err := changes.WriteLayer(t.Context(), io.Discard, s.tree())
		var limit *changes.LimitError
		var e *changes.Error
		if !errors.As(err, &limit) || !errors.As(err, &e) || e.Path != "/hole" {
			t.Errorf("a terabyte of nothing: %v", err)
		}
		must(t, os.Truncate(s.at("upper/hole"), 0))
		for i := range 10 {
			put(t, s.at("upper"), fmt.Sprint("file", i), "")
			must(t, os.Link(s.at(fmt.Sprint("upper/file", i)), s.at(fmt.Sprint("upper/link", i))))
		}
		tree := s.tree()
		tree.Limits.Links = 500
		if _, err := changes.WriteLayer(t.Context(), io.Discard, tree); !errors.As(err, &limit) {
			t.Errorf("many names: %v", err)
		}
	})
}

// writerFunc does something amid the writing.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestLayerNoticesChanges(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(string) {})
		for name, change := range map[string]func(path string) error{
			"shorter": func(path string) error { return os.Truncate(path, 10) },
			"longer":  func(path string) error { return os.Truncate(path, 10<<20) },
			"other": func(path string) error {
				now := time.Now()
				return os.Chtimes(path, now, now)
			},
		} {
			path := s.at("upper/file")
			must(t, os.WriteFile(path, make([]byte, 5<<20), 0o600))
			done := false
			_, err := changes.WriteLayer(t.Context(), writerFunc(func(p []byte) (int, error) {
				if !done {
					done = true
					must(t, change(path))
				}
				return len(p), nil
			}), s.tree())
			if !errors.Is(err, changes.ErrChanged) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// deep makes a directory with as many levels of the same name, and returns the innermost's descriptor.
func deep(t testing.TB, dir, name string, levels int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	for range levels {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = next
	}
	f, err := unix.Openat(fd, "end", unix.O_CREAT|unix.O_WRONLY, 0o600)
	must(t, err)
	must(t, unix.Close(f))
	must(t, unix.Close(fd))
}

func TestDeepTrees(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(string) {})
		const levels = 1100
		deep(t, s.at("upper"), "abc", levels)
		for i := range 200 { // to come back to
			put(t, s.at("upper"), fmt.Sprintf("abc/abc/abc/x%d", i), "")
		}
		tree := s.tree()
		tree.Limits.Names = 1 // every directory is read again and again
		if got := s.list(tree); len(got) != levels+1+200 || !strings.HasSuffix(got[levels], strings.Repeat("/abc", levels)+"/end") {
			t.Errorf("%d changes", len(got))
		}
		r, err := changes.Export(t.Context(), io.Discard, tree)
		if err != nil || r.Entries != levels+2+200 {
			t.Errorf("export: %+v, %v", r, err)
		}
		var limit *changes.LimitError
		if _, err := changes.WriteLayer(t.Context(), io.Discard, tree); !errors.As(err, &limit) {
			t.Errorf("a layer that nobody can unpack: %v", err)
		}
	})
}

// tarOf is what GNU tar makes of the mounted overlay.
func (s *scene) tarOf() []byte {
	s.t.Helper()
	tool := testneed.Program(s.t, "tar", "apt-get install tar")
	s.inside("", tool+" --format=posix --xattrs --xattrs-include='user.*' --pax-option=delete=atime,delete=ctime -cf ../tar .")
	b, err := os.ReadFile(s.at("tar"))
	must(s.t, err)
	return b
}

// described are the entries of an archive, each with its content, by name without "./".
func described(t testing.TB, b []byte) map[string]string {
	t.Helper()
	out, first := map[string]string{}, map[string]string{}
	type entry struct{ text, link string }
	all := map[string]entry{}
	tr := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		name := filepath.Clean(h.Name)
		content, err := io.ReadAll(tr)
		must(t, err)
		text := fmt.Sprintf("%c %o %d:%d %s %d,%d %s %q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format(time.RFC3339Nano),
			h.Devmajor, h.Devminor, h.Linkname, content[:min(len(content), 64)])
		for k, v := range h.PAXRecords {
			if strings.HasPrefix(k, "SCHILY.xattr.") {
				text += fmt.Sprintf(" %s=%x", k, v)
			}
		}
		link := ""
		if h.Typeflag == tar.TypeLink {
			link = filepath.Clean(h.Linkname)
		}
		all[name] = entry{text + fmt.Sprint(len(content)), link}
	}
	// Which name of several comes first is up to the archiver: each is described by the file, with the least of its names.
	for name, e := range all {
		target := name
		if e.link != "" {
			target = e.link
		}
		if least, ok := first[target]; !ok || name < least {
			first[target] = name
		}
	}
	for name, e := range all {
		target := name
		if e.link != "" {
			target = e.link
		}
		out[name] = all[target].text + " " + first[target]
	}
	return out
}

func TestExportEqualsTar(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", "rm -r usr/lib; mkdir usr/lib; echo m > usr/lib/middle; rm kept/a; echo m > tofile/middle; rm again/old2")
		must(t, os.Rename(s.at("upper"), s.at("lower1")))
		must(t, os.Mkdir(s.at("upper"), 0o755))
		s.lower = append(s.lower, s.at("lower1"))
		s.inside("", strings.ReplaceAll(script, "chmod 000 secret secret/file", "chmod 500 secret"))
		must(t, unix.Setxattr(s.at("upper/fresh/second"), "user.note", []byte("ab"), 0))
		var b bytes.Buffer
		if _, err := changes.Export(t.Context(), &b, s.tree()); err != nil {
			t.Fatal(err)
		}
		compare(t, "the export", described(t, b.Bytes()), described(t, s.tarOf()))
	})
}
