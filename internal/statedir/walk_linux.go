package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// maxLinks is how many symbolic links the kernel follows on one path; path_resolution(7).
const maxLinks = 40

// Open opens a state directory for listing, and does CloseToOthers with it. What is missing of it and above it is made
// if create is true, with mode 0700 and for good. It fails if anybody but this user and root could exchange something on
// the way: while nobody can, the path leads to the same directory the next time.
//
// Errors: *Error with fs.ErrPermission (others could exchange it, or own it), fs.ErrNotExist, ELOOP, the errno.
func Open(dir string, create bool) (*os.File, error) {
	w := walk{fd: -1, create: create}
	defer func() { w.close() }()
	left := append([]string{"/"}, components(dir)...)
	for links := 0; len(left) > 0; {
		target, err := w.step(left[0])
		if err != nil {
			return nil, err
		}
		left = left[1:]
		if target == "" {
			continue
		}
		if links++; links > maxLinks {
			return nil, &Error{"open", dir, syscall.ELOOP, HintWritable}
		}
		if left = slices.Concat(components(target), left); filepath.IsAbs(target) {
			left = append([]string{"/"}, left...)
		}
	}
	f, err := openDir(w.fd, dir)
	if err != nil {
		return nil, &Error{"open", dir, err, HintWritable}
	}
	if err := CloseToOthers(f, false); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func components(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." })
}

// walk is the way down to a directory, a component at a time.
type walk struct {
	create bool
	fd     int // opened with O_PATH; -1 before the first step
	path   string
	look   sys.Entry
}

func (w *walk) close() {
	if w.fd >= 0 {
		_ = sys.CloseFD(w.fd)
	}
}

// step goes on to an entry, which it may make a directory if it is not there. Where a symbolic link leads is
// returned, and not followed.
func (w *walk) step(name string) (target string, err error) {
	if w.fd >= 0 && others(&w.look) && w.look.Mode&syscall.S_ISVTX == 0 {
		return "", refused(w.path, "others may exchange what is in it")
	}
	at := filepath.Join(w.path, name)
	fd, err := w.open(name)
	if err != nil {
		return "", &Error{"open", at, err, HintWritable}
	}
	look, err := sys.Fstat(fd)
	switch {
	case err != nil:
		err = &Error{"stat", at, err, ""}
	case !w.trusts(&look):
		err = refused(at, fmt.Sprintf("it belongs to user %d", look.UID))
	case look.IsSymlink():
		if target, err = sys.Readlinkat(fd, ""); err != nil {
			err = &Error{"readlink", at, err, ""}
		}
	case !look.IsDir():
		err = &Error{"open", at, syscall.ENOTDIR, HintWritable}
	}
	if err != nil || target != "" {
		_ = sys.CloseFD(fd)
		return target, err
	}
	w.close()
	w.fd, w.path, w.look = fd, at, look
	return "", nil
}

// open opens an entry, a symbolic link as itself.
func (w *walk) open(name string) (int, error) {
	const flags = sys.O_PATH | sys.O_NOFOLLOW | sys.O_CLOEXEC
	fd, err := sys.Openat2(w.fd, name, flags, 0, 0)
	if err != syscall.ENOENT || !w.create {
		return fd, err
	}
	switch err := sys.Mkdirat(w.fd, name, 0o700); err {
	case nil:
		if err := w.sync(); err != nil {
			return -1, err
		}
	case syscall.EEXIST:
	default:
		return -1, err
	}
	return sys.Openat2(w.fd, name, flags, 0, 0)
}

// sync makes durable that something was made in the directory: what will be in it is not more durable than its name.
func (w *walk) sync() error {
	d, err := openDir(w.fd, w.path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// trusts tells whether the owner of an entry of the directory is this user or root. In a user namespace root, and
// everybody else who has no number there, has the same number, nobody's; but where only the owner of a directory
// may make entries, it is not everybody else.
func (w *walk) trusts(e *sys.Entry) bool {
	if ownedHere(e) {
		return true
	}
	return (w.fd < 0 || !others(&w.look)) && unmapped(e.UID)
}

func ownedHere(e *sys.Entry) bool { return e.UID == 0 || int(e.UID) == os.Geteuid() }

// others tells whether more than the owner of a directory may make and rename entries. A group with the number of
// the owner is the owner's alone: that is how distributions number them, whose umask lets the group write.
func others(e *sys.Entry) bool {
	return e.Mode&0o002 != 0 || e.Mode&0o020 != 0 && e.GID != e.UID
}

// unmapped tells whether a user is one that this user namespace has no number for; user_namespaces(7).
func unmapped(uid uint32) bool {
	overflow, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil || strings.TrimSpace(string(overflow)) != fmt.Sprint(uid) {
		return false
	}
	maps, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(maps)) {
		var first, host, count uint64
		if _, err := fmt.Sscan(line, &first, &host, &count); err != nil || uint64(uid) >= first && uint64(uid) < first+count {
			return false
		}
	}
	return true
}

// CloseToOthers sees to it that nobody else may enter a directory of this program's own: one that has its name from
// here, as ours says, or is a store, or empty. Another stays as it is, but must not be others' to change.
//
// Errors: *Error with fs.ErrPermission, the errno.
func CloseToOthers(f *os.File, ours bool) error {
	look, err := sys.Fstat(int(f.Fd()))
	switch {
	case err != nil:
		return &Error{"stat", f.Name(), err, ""}
	case !ownedHere(&look):
		return refused(f.Name(), fmt.Sprintf("it belongs to user %d", look.UID))
	case look.Mode&0o077 == 0:
		return nil
	case int(look.UID) == os.Geteuid() && (ours && look.Mode&0o022 == 0 || disposable(f)):
		if err := f.Chmod(0o700); err != nil {
			return &Error{"chmod", f.Name(), err, ""}
		}
	case look.Mode&0o022 != 0:
		return refused(f.Name(), "others may write to it, and have written perhaps")
	}
	return nil
}

// disposable reports a directory that may be closed to others: it is empty, or a store.
func disposable(f *os.File) bool {
	if _, err := sys.Lstatat(int(f.Fd()), "oci-layout"); err == nil {
		return true
	}
	names, _ := f.Readdirnames(1)
	return len(names) == 0
}

// refused is the error about a place that others could exchange.
func refused(path, why string) error {
	return &Error{"open", path, fmt.Errorf("%w: %s", fs.ErrPermission, why),
		"set Engine.Dir to a directory that, with all above it, only you and root can change: chown and chmod 0700, or one below your home"}
}

// openDir opens a directory that is open with O_PATH for listing.
func openDir(at int, path string) (*os.File, error) {
	fd, err := sys.OpenDirat(at, ".")
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
