package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

const fullEnv = "CAISSON_TEST_STORE_FULL"

// R9: disk full at every write. The child has a mount namespace with a small tmpfs.
func TestStoreFull(t *testing.T) {
	testneed.UserNamespaces(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRoleFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullEnv+"="+t.TempDir())
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRoleFull") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRoleFull(t *testing.T) {
	dir := os.Getenv(fullEnv)
	if dir == "" {
		return // run by itself it is no test
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	const inodes = 600
	if err := syscall.Mount("caisson", dir, "tmpfs", 0, fmt.Sprint("size=4m,nr_inodes=", inodes)); err != nil {
		t.Fatal(err)
	}
	f := fullDisk{t, dir}
	t.Run("pages", func(t *testing.T) {
		f.t = t
		for n := range 150 {
			f.try(func() { f.fill(n) }, fmt.Sprint(n, " pages free"))
		}
	})
	t.Run("inodes", func(t *testing.T) {
		f.t = t
		for n := range 70 {
			f.try(func() { f.fillInodes(n) }, fmt.Sprint(n, " inodes free"))
		}
	})
	t.Run("collect", func(t *testing.T) { f.t = t; f.collect() })
}

type fullDisk struct {
	t   *testing.T
	dir string
}

func (f *fullDisk) store() *Store { return openAt(f.t, filepath.Join(f.dir, "state")) }

// fill leaves so many pages free.
func (f *fullDisk) fill(pages int) {
	f.t.Helper()
	b, err := os.Create(filepath.Join(f.dir, "ballast"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer b.Close()
	size := int64(0)
	for page := make([]byte, 4096); err == nil; size += 4096 {
		_, err = b.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		f.t.Fatal(err)
	}
	if err := b.Truncate(max(0, size-4096-int64(pages)*4096)); err != nil {
		f.t.Fatal(err)
	}
}

// fillInodes leaves room for so many files.
func (f *fullDisk) fillInodes(n int) {
	f.t.Helper()
	dir := filepath.Join(f.dir, "ballast")
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	made := 0
	for ; ; made++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(made)), nil, 0o600); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			f.t.Fatal(err)
		}
	}
	for i := range n {
		if err := os.Remove(filepath.Join(dir, fmt.Sprint(made-1-i))); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fullDisk) empty() {
	f.t.Helper()
	if err := os.RemoveAll(filepath.Join(f.dir, "ballast")); err != nil {
		f.t.Fatal(err)
	}
}

// layers are two layers of some dozen pages and files.
func (f *fullDisk) layers() (one, two []byte) {
	one = manyFiles(f.t, 20, 9000)
	return one, manyFiles(f.t, 20, 500)
}

// try writes an image to a disk that becomes full on the way, and again when there is room.
func (f *fullDisk) try(fill func(), what string) {
	f.t.Helper()
	s := f.store()
	put(f.t, s, "base:1", tarOf(f.t, "base", "1"))
	before := files(f.t, s.Dir())
	one, two := f.layers()
	fill()
	_, err := tryPut(f.t.Context(), f.store(), "new:1", one, two)
	if err != nil {
		var e *Error
		if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) {
			f.t.Fatalf("%s: %v", what, err)
		}
		if got := names(f.t, f.store()); !slices.Equal(got, []string{"base:1"}) {
			f.t.Errorf("%s: names %q", what, got)
		}
		if _, err := s.Resolve("base:1"); err != nil {
			f.t.Errorf("%s: %v", what, err)
		}
		if _, err := f.store().Prune(f.t.Context(), PruneOptions{}); err != nil {
			f.t.Errorf("%s: Prune: %v", what, err)
		}
		if after := files(f.t, s.Dir()); !slices.Equal(after, before) {
			f.t.Errorf("%s: store changed from\n%q\nto\n%q", what, before, after)
		}
	}
	f.empty()
	put(f.t, s, "new:1", one, two)
	if _, err := s.Resolve("new:1"); err != nil {
		f.t.Errorf("%s: after the retry: %v", what, err)
	}
	if _, err := s.Remove(f.t.Context(), "new:1", RemoveOptions{}); err != nil {
		f.t.Errorf("%s: %v", what, err)
	}
}

// collect removes on a disk without a byte free.
func (f *fullDisk) collect() {
	for name, remove := range map[string]func(s *Store) (Removed, error){
		"remove": func(s *Store) (Removed, error) { return s.Remove(f.t.Context(), "new:1", RemoveOptions{}) },
		"prune":  func(s *Store) (Removed, error) { return s.Prune(f.t.Context(), PruneOptions{All: true}) },
		"prune without a spare": func(s *Store) (Removed, error) {
			err := os.Truncate(filepath.Join(s.Dir(), spareName), 0)
			f.fill(0)
			r, perr := s.Prune(f.t.Context(), PruneOptions{All: true})
			return r, errors.Join(err, perr)
		},
		"untag, then prune": func(s *Store) (Removed, error) {
			if err := s.Untag(f.t.Context(), "new:1"); err != nil {
				return Removed{}, err
			}
			return s.Prune(f.t.Context(), PruneOptions{})
		},
	} {
		for range 3 { // the spare must be there again
			one, two := f.layers()
			s := f.store()
			d := put(f.t, s, "new:1", one, two)
			if strings.Contains(name, "spare") { // then room is made by what nothing refers to
				f.stray(s)
			}
			f.fill(0)
			f.nothingFree()
			r, err := remove(f.store())
			if err != nil || !slices.Contains(r.Blobs, d.Digest) || r.Bytes < 2*int64(len(one)+len(two))-100*512 {
				f.t.Errorf("%s: %+v, %v", name, r, err)
			}
			if _, err := s.Resolve("new:1"); err == nil {
				f.t.Errorf("%s: it is still there", name)
			}
			f.empty()
		}
	}
}

func (f *fullDisk) stray(s *Store) {
	f.t.Helper()
	stray := []byte(strings.Repeat("nobody's", 4096))
	if err := s.PutBlob(f.t.Context(), digest(stray), int64(len(stray)), bytes.NewReader(stray)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fullDisk) nothingFree() {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "more"), []byte("x"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		f.t.Fatalf("the disk is not full: %v", err)
	}
	if err := os.Remove(filepath.Join(f.dir, "more")); err != nil {
		f.t.Fatal(err)
	}
}
