package changes

import (
	"os"
	"strconv"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// Direct opens files with the rights of the program.
type Direct struct{}

// Root opens the directory once more, so that reading its names does not move the caller's.
func (Direct) Root(f *os.File) (Dir, error) {
	fd, err := sys.Openat2(int(f.Fd()), ".", dirFlags, 0, inside)
	if err != nil {
		return nil, err
	}
	return newDirect(fd), nil
}

// Flags of every lookup: one name, in this directory and of its filesystem, and itself no link.
const (
	dirFlags = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW | sys.O_CLOEXEC
	inside   = sys.RESOLVE_BENEATH | sys.RESOLVE_NO_SYMLINKS | sys.RESOLVE_NO_XDEV
)

type directDir struct {
	f  *os.File
	fd int
}

func newDirect(fd int) *directDir { return &directDir{os.NewFile(uintptr(fd), "directory"), fd} }

func (d *directDir) Dir(name string) (Dir, error) {
	fd, err := sys.Openat2(d.fd, name, dirFlags, 0, inside)
	if err != nil {
		return nil, err
	}
	return newDirect(fd), nil
}

func (d *directDir) Look() (sys.Look, error) { return sys.Lookat(d.fd, "") }

func (d *directDir) Names(n int) ([]string, error) { return d.f.Readdirnames(n) }

func (d *directDir) Rewind() error {
	_, err := d.f.Seek(0, 0)
	return err
}

func (d *directDir) Looks(names []string) []Looked {
	list := make([]Looked, len(names))
	for i, name := range names {
		list[i].Look, list[i].Err = sys.Lookat(d.fd, name)
	}
	return list
}

func (d *directDir) Links(names []string) []Link {
	list := make([]Link, len(names))
	for i, name := range names {
		list[i].Target, list[i].Err = sys.Readlinkat(d.fd, name)
	}
	return list
}

func (d *directDir) Files(names []string, want func(string) bool) []File {
	list := make([]File, len(names))
	for i, name := range names {
		list[i] = d.file(name, want)
	}
	return list
}

// file opens a regular file. It is looked at before it is opened for reading, and through the descriptor, so that
// nothing can take its place between: opening a device may do something, and opening a FIFO wait for ever.
func (d *directDir) file(name string, want func(string) bool) (f File) {
	const flags = sys.O_PATH | sys.O_NOFOLLOW | sys.O_CLOEXEC
	path, err := sys.Openat2(d.fd, name, flags, 0, inside)
	if err != nil {
		return File{Err: err}
	}
	defer func() { _ = sys.CloseFD(path) }()
	look, err := sys.Lookat(path, "")
	if err == nil && look.Type() != sys.S_IFREG {
		err = ErrChanged
	}
	if err != nil {
		return File{Err: err}
	}
	fd, err := sys.Openat2(sys.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(path), sys.O_RDONLY|sys.O_CLOEXEC, 0, 0)
	if err != nil {
		return File{Err: err}
	}
	f.File = os.NewFile(uintptr(fd), name)
	if f.Xattrs, f.Err = readXattrs(fd, want); f.Err != nil {
		_ = f.Close()
	}
	return f
}

func (d *directDir) Xattrs(want func(string) bool) ([]Xattr, error) { return readXattrs(d.fd, want) }

// Batch is one: asking costs nothing.
func (d *directDir) Batch() int { return 1 }

func (d *directDir) Close() { _ = d.f.Close() }

// readXattrs reads attributes of an open file. One that is gone again was none.
func readXattrs(fd int, want func(string) bool) ([]Xattr, error) {
	names, err := sys.Flistxattr(fd)
	if err != nil {
		return nil, err
	}
	var list []Xattr
	for _, name := range names {
		if !want(name) {
			continue
		}
		value, err := sys.Fgetxattr(fd, name)
		if err == syscall.ENODATA {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Xattr{Name: name, Value: value})
	}
	return list, nil
}
