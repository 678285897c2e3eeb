package inroot

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

const (
	// maxLinks is the kernel's MAXSYMLINKS.
	maxLinks = 40

	// plain is the walk to one name directly in a directory: no link, no "..", no other mount.
	plain = sys.RESOLVE_BENEATH | sys.RESOLVE_NO_SYMLINKS | sys.RESOLVE_NO_XDEV

	dirPath = sys.O_PATH | syscall.O_DIRECTORY
)

// MkdirAll makes the directory that path inside root names, with every missing parent, and returns it, opened
// with O_PATH: use it by descriptor, since a second lookup of path may end elsewhere. The caller closes it.
//
// Links are followed inside the root, also those whose target does not exist yet, as in an image with
// /var/run -> /run and no /run. A directory made here gets exactly mode (permission and sticky bits; others are
// EINVAL), whatever the process's umask; one that exists already is left as it is.
//
// Errors are *fs.PathError with the errno: ENOTDIR if a file is in the way, ELOOP after 40 links, EAGAIN if
// somebody kept exchanging what was made. Directories made before an error stay.
func MkdirAll(root *os.File, path string, mode uint32) (*os.File, error) {
	f, err := mkdirAll(root, path, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "mkdir in root", Path: path, Err: err}
	}
	return f, nil
}

func mkdirAll(root *os.File, path string, mode uint32) (*os.File, error) {
	if mode&^0o1777 != 0 {
		return nil, syscall.EINVAL
	}
	f, err := open(root, path, dirPath, 0, resolve)
	if err != syscall.ENOENT || path == "" {
		return f, err
	}
	w := walk{root: root, mode: mode, todo: path}
	if err := w.restart(); err != nil {
		return nil, err
	}
	for w.todo != "" {
		if err := w.step(); err != nil {
			w.cur.Close()
			return nil, err
		}
	}
	return w.cur, nil
}

// walk is an unfinished MkdirAll. Each step looks done and one more name up from the root, all in one openat2,
// so that ".." and links mean what the kernel says they mean; only the name that is missing is handled here.
type walk struct {
	root  *os.File
	mode  uint32
	cur   *os.File // the directory that done led to, O_PATH
	done  string   // names gone through, each ended by a slash
	todo  string   // names to go through
	links int      // dangling links expanded
	races int      // steps that found things changed since the step before
}

// restart goes back to the root.
func (w *walk) restart() error {
	f, err := open(w.root, "/", dirPath, 0, resolve)
	if err != nil {
		return err
	}
	w.enter(f, "")
	return nil
}

func (w *walk) enter(f *os.File, done string) {
	if w.cur != nil {
		w.cur.Close()
	}
	w.cur, w.done = f, done
}

func (w *walk) step() error {
	name, rest, _ := strings.Cut(w.todo, "/")
	if name == "" || name == "." {
		w.todo = rest
		return nil
	}
	next := w.done + name + "/"
	f, err := open(w.root, next, dirPath, 0, resolve)
	if err == syscall.ENOENT {
		f, err = w.make(name)
	}
	if err == syscall.EEXIST { // and yet it did not exist: a link to nothing, or made just now
		return w.expand(name, rest)
	}
	if err != nil {
		return err
	}
	w.enter(f, next)
	w.todo = rest
	return nil
}

// make makes the directory name in cur and opens it.
func (w *walk) make(name string) (*os.File, error) {
	err := withFD(w.cur, func(fd int) error { return sys.Mkdirat(fd, name, w.mode) })
	if err != nil {
		return nil, err
	}
	f, err := open(w.cur, name, dirPath|syscall.O_NOFOLLOW, 0, plain)
	if err != nil {
		return nil, exchanged(err)
	}
	if err := w.chmod(name, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// chmod undoes the umask. A descriptor of O_PATH can not be changed (fchmod(2): EBADF), so the directory is
// opened again, and changed only if it is still the same one.
func (w *walk) chmod(name string, made *os.File) error {
	fi, err := made.Stat()
	if err != nil {
		return err
	}
	want := fs.FileMode(w.mode & 0o777)
	if w.mode&0o1000 != 0 {
		want |= fs.ModeSticky
	}
	if fi.Mode()&(fs.ModePerm|fs.ModeSticky) == want {
		return nil
	}
	f, err := open(w.cur, name, sys.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, plain)
	if err != nil {
		return exchanged(err)
	}
	defer f.Close()
	again, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(fi, again) {
		return syscall.EEXIST
	}
	return f.Chmod(want | fi.Mode()&fs.ModeSetgid) // inherited from the parent: mkdir(2)
}

// exchanged turns the errnos of a directory that is gone, or is now something else, into EEXIST: look again.
func exchanged(err error) error {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.EXDEV:
		return syscall.EEXIST
	}
	return err
}

// expand replaces the link name in cur by its target, in what is left to do.
func (w *walk) expand(name, rest string) error {
	target, err := readlinkat(w.cur, name)
	if err != nil { // no link: somebody else's directory, so the same step again will do
		if w.races++; w.races > maxTries {
			return syscall.EAGAIN
		}
		return nil
	}
	if w.links++; w.links > maxLinks {
		return syscall.ELOOP
	}
	if strings.HasPrefix(target, "/") {
		if err := w.restart(); err != nil {
			return err
		}
	}
	w.todo = target + "/" + rest
	return nil
}
