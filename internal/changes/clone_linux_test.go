package changes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// clone copies the upper directory to a new one of that name.
func (s *scene) clone(name string) (changes.Cloned, error) {
	s.t.Helper()
	must(s.t, os.Mkdir(s.at(name), 0o700))
	return changes.Clone(s.t.Context(), s.tree(), s.open(name))
}

func TestCloneShowsTheSame(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		up := s.at("upper/")
		must(t, unix.Setxattr(up+"/fresh/second", "user.note", []byte("a\x00b\n"), 0))
		must(t, unix.Mknod(up+"/socket", unix.S_IFSOCK|0o604, 0))
		if !s.user {
			must(t, unix.Mknod(up+"/null", unix.S_IFCHR|0o640, int(unix.Mkdev(1, 3))))
			must(t, os.Lchown(up+"/fresh/link", 12, 34))
			must(t, os.Lchown(up+"/usr", 56, 78))
			must(t, unix.Setxattr(up+"/fresh/second", "security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
		}
		acl := []byte("\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x04\x00\x05\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff")
		err := unix.Setxattr(up+"/fresh/dir", "system.posix_acl_default", acl, 0)
		testneed.Feature(t, "access control lists", err, "set TMPDIR to a directory of a file system that has them")
		large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
		put(t, up, "large", string(large))
		want := s.view("upper")
		c, err := s.clone("copy")
		must(t, err)
		if c.Entries < 30 || c.Bytes < 3_000_000 {
			t.Errorf("%+v", c)
		}
		compare(t, "the container with the copy", s.view("copy"), want)
		if b, err := os.ReadFile(s.at("copy/large")); err != nil || !bytes.Equal(b, large) {
			t.Errorf("the large file has %d bytes, %v", len(b), err)
		}
		var st syscall.Stat_t
		must(t, syscall.Stat(s.at("copy/sparse"), &st))
		if st.Blocks*512 > 1<<20 {
			t.Errorf("the holes of the copy take %d bytes", st.Blocks*512)
		}
		// And it is a layer as good as the original.
		tree, copied := s.tree(), s.tree()
		copied.Upper = s.open("copy")
		sameThrough(t, s, tree, copied)
	})
}

func TestCloneOfADeepTree(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		deep(t, s.at("upper"), "abc", 400)
		put(t, s.at("upper"), "a", "first")
		at := s.at("upper")
		for range 300 { // a name of it in many directories
			at += "/abc"
			if len(at) > 3000 {
				break
			}
			must(t, os.Link(s.at("upper/a"), at+"/name"))
			must(t, os.Link(s.at("upper/a"), at+"/0"))
		}
		want := s.list(s.tree())
		c, err := s.clone("copy")
		must(t, err)
		copied := s.tree()
		copied.Upper = s.open("copy")
		if got := s.list(copied); !slices.Equal(got, want) || int(c.Entries) != len(want) {
			t.Errorf("%d entries copied, %d to be found, want %d", c.Entries, len(got), len(want))
		}
		var a, b syscall.Stat_t
		must(t, syscall.Stat(s.at("upper/a"), &a))
		must(t, syscall.Stat(s.at("copy/a"), &b))
		if a.Nlink != b.Nlink {
			t.Errorf("the file has %d names, its copy %d", a.Nlink, b.Nlink)
		}
	})
}

func TestCloneErrors(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		put(t, s.at("upper"), "file", "x")
		must(t, os.Mkdir(s.at("full"), 0o700))
		put(t, s.at("full"), "file", "x")
		var e *changes.Error
		if _, err := changes.Clone(t.Context(), s.tree(), s.open("full")); !errors.As(err, &e) || e.Path != "/file" || !errors.Is(err, os.ErrExist) {
			t.Errorf("into a directory that has one: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := changes.Clone(ctx, s.tree(), s.open("full")); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// On a filesystem that can, the copy has the blocks of the original.
func TestCloneSharesBlocks(t *testing.T) {
	testneed.Root(t)
	mkfs := testneed.Program(t, "mkfs.xfs", "apt-get install xfsprogs")
	s := newScene(t, false)
	image := s.at("image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 400<<20))
	if out, err := exec.Command(mkfs, "-q", "-m", "reflink=1", image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mnt := s.at("mnt")
	out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput()
	testneed.Feature(t, "a loop mount of XFS", err, "load the modules loop and xfs: "+string(out))
	defer func() { must(t, syscall.Unmount(mnt, syscall.MNT_DETACH)) }()
	for _, d := range []string{"upper", "copy"} {
		must(t, os.Mkdir(filepath.Join(mnt, d), 0o755))
	}
	for i := range 3 {
		f, err := os.Create(fmt.Sprintf("%s/upper/%d", mnt, i))
		must(t, err)
		_, err = io.CopyN(f, zeroes{}, 20<<20)
		must(t, errors.Join(err, f.Sync(), f.Close()))
	}
	up, err := os.Open(mnt + "/upper")
	must(t, err)
	defer up.Close()
	dst, err := os.Open(mnt + "/copy")
	must(t, err)
	defer dst.Close()
	c, err := changes.Clone(t.Context(), changes.Tree{Upper: up}, dst)
	if err != nil || c.Shared != 60<<20 || c.Bytes != 60<<20 {
		t.Errorf("%+v, %v", c, err)
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { return len(p), nil }
