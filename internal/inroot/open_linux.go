package inroot

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

const (
	// resolve is the walk of every lookup. Not RESOLVE_NO_XDEV: volumes are mounted inside roots.
	resolve = sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_MAGICLINKS

	// maxTries bounds the repeats after EAGAIN, which openat2(2) gives when it meets ".." while any
	// rename or mount on the system went on: the kernel can not tell then whether the walk left the root.
	maxTries = 128

	// tmpfileBit is __O_TMPFILE of asm-generic/fcntl.h; O_TMPFILE itself includes O_DIRECTORY.
	tmpfileBit = 0x400000
)

// Open opens path inside root. The flags are those of open(2); mode counts only when they create a file, and
// the process's umask applies to it. The caller closes the file. An empty path does not exist; "/" is the
// root itself.
//
// Except with O_PATH, O_NONBLOCK and O_NOCTTY are added: a FIFO in an image must not stop the caller, nor a
// terminal become its own. Reading a FIFO or socket through the returned file waits as usual.
//
// Errors are *fs.PathError with the errno: fs.ErrNotExist, fs.ErrPermission, ELOOP for a link of /proc, EAGAIN
// if renames elsewhere disturbed 128 walks in a row, errors.ErrUnsupported before Linux 5.6.
func Open(root *os.File, path string, flags int, mode uint32) (*os.File, error) {
	f, err := open(root, path, flags, mode, resolve)
	if err != nil {
		return nil, &fs.PathError{Op: "open in root", Path: path, Err: err}
	}
	return f, nil
}

// open is Open with the bare errno and a choice of the walk.
func open(root *os.File, path string, flags int, mode uint32, resolve uint64) (*os.File, error) {
	flags |= sys.O_CLOEXEC
	if flags&sys.O_PATH == 0 {
		flags |= sys.O_NONBLOCK | sys.O_NOCTTY
	}
	if flags&(sys.O_CREAT|tmpfileBit) == 0 {
		mode = 0 // openat2(2): EINVAL otherwise
	}
	fd := -1
	err := withFD(root, func(dir int) (err error) {
		for range maxTries {
			if fd, err = sys.Openat2(dir, path, flags, mode, resolve); err != syscall.EAGAIN {
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), root.Name()+":"+path), nil
}

// withFD lends f's descriptor to fn and keeps f from being closed meanwhile. (os.File.Fd would not, so that
// a concurrent Close could let the number name another file.)
func withFD(f *os.File, fn func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := c.Control(func(fd uintptr) { ferr = fn(int(fd)) }); err != nil {
		return os.ErrClosed // the only failure of Control
	}
	return ferr
}

// Lstat describes path inside root without following a link in its last component.
func Lstat(root *os.File, path string) (fs.FileInfo, error) {
	f, err := open(root, path, sys.O_PATH|syscall.O_NOFOLLOW, 0, resolve)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat in root", Path: path, Err: err}
	}
	defer f.Close()
	return f.Stat()
}

// Readlink returns the target of the link that path inside root is. The text means nothing outside the root:
// never open it, open path. What is no link is EINVAL, as readlink(2) has it.
func Readlink(root *os.File, path string) (string, error) {
	f, err := open(root, path, sys.O_PATH|syscall.O_NOFOLLOW, 0, resolve)
	if err != nil {
		return "", &fs.PathError{Op: "readlink in root", Path: path, Err: err}
	}
	defer f.Close()
	target, err := readlinkat(f, "")
	if err == syscall.ENOENT { // what readlinkat says of an empty name and no link
		err = syscall.EINVAL
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink in root", Path: path, Err: err}
	}
	return target, nil
}

func readlinkat(dir *os.File, name string) (target string, err error) {
	err = withFD(dir, func(fd int) (err error) {
		target, err = sys.Readlinkat(fd, name)
		return err
	})
	return target, err
}
