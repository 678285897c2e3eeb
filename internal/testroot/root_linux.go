package testroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// TB is the part of testing.TB that this package uses.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	TempDir() string
	Cleanup(func())
}

// Root is a directory that is the root filesystem of a container. Every file in it belongs to who runs the test.
type Root struct {
	// Dir is the directory.
	Dir string

	t TB
}

// Bare makes a root that has the probe as /bin/probe, and nothing else: no /dev, no /etc, no /proc.
func Bare(t TB) *Root {
	t.Helper()
	r := &Root{Dir: t.TempDir(), t: t}
	// Group and others must be able to look, because containers also run programs as other users.
	r.must(os.Chmod(r.Dir, 0o755))
	r.Copy(Program(t), "bin/probe", 0o755)
	return r
}

// New makes a root with the probe in /bin under the names of all its commands, the usual directories, and users and
// groups: root, app (1000, in the groups app 1000, staff 50 and 60 wheel), other (2000).
func New(t TB) *Root {
	t.Helper()
	r := Bare(t)
	for _, name := range Commands() {
		r.Link("probe", "bin/"+name)
	}
	for _, d := range []string{"dev", "etc", "proc", "root", "run", "sys", "tmp", "var", "vol"} {
		r.Mkdir(d, 0o755)
	}
	r.File("etc/passwd", "root:x:0:0:root:/root:/bin/true\napp:x:1000:1000::/app:/bin/true\nother:x:2000:2000::/:/bin/true\n", 0o644)
	r.File("etc/group", "root:x:0:\nstaff:x:50:app\nwheel:x:60:other,app\napp:x:1000:\nother:x:2000:\n", 0o644)
	return r
}

// Path is where a file of the root lies on the host.
func (r *Root) Path(name string) string { return filepath.Join(r.Dir, name) }

// File writes a file in place of whatever has its name, and makes the directories above it.
func (r *Root) File(name, content string, mode os.FileMode) {
	r.t.Helper()
	r.Remove(name)
	r.parents(name)
	r.must(os.WriteFile(r.Path(name), []byte(content), 0o600))
	r.must(os.Chmod(r.Path(name), mode))
}

// Sparse makes a file of a size that has no contents.
func (r *Root) Sparse(name string, size int64) {
	r.t.Helper()
	r.File(name, "", 0o644)
	r.must(os.Truncate(r.Path(name), size))
}

// Copy copies a file of the host into the root.
func (r *Root) Copy(from, name string, mode os.FileMode) {
	r.t.Helper()
	b, err := os.ReadFile(from)
	r.must(err)
	r.File(name, string(b), mode)
}

// Mkdir makes a directory, and those above it.
func (r *Root) Mkdir(name string, mode os.FileMode) {
	r.t.Helper()
	r.must(os.MkdirAll(r.Path(name), 0o755))
	r.must(os.Chmod(r.Path(name), mode))
}

// Link makes a symbolic link in place of whatever has its name.
func (r *Root) Link(target, name string) {
	r.t.Helper()
	r.Remove(name)
	r.parents(name)
	r.must(os.Symlink(target, r.Path(name)))
}

// Fifo makes a FIFO in place of whatever has its name.
func (r *Root) Fifo(name string) {
	r.t.Helper()
	r.Remove(name)
	r.parents(name)
	r.must(syscall.Mkfifo(r.Path(name), 0o644))
}

// Without puts something else in the place of a file or directory while use runs, and the old one back behind it.
func (r *Root) Without(name string, put, use func()) {
	r.t.Helper()
	saved := r.Path(name) + ".saved"
	err := os.Rename(r.Path(name), saved)
	was := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.must(err)
	}
	put()
	use()
	r.Remove(name)
	if was {
		r.must(os.Rename(saved, r.Path(name)))
	}
}

// Remove removes a file or a directory with all in it, if it is there.
func (r *Root) Remove(name string) {
	r.t.Helper()
	r.must(os.RemoveAll(r.Path(name)))
}

func (r *Root) parents(name string) {
	r.t.Helper()
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		r.must(os.MkdirAll(r.Path(name[:i]), 0o755))
	}
}

func (r *Root) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("testroot: %v", err)
	}
}
