package layer

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// denied reads what the caller may not: files of subordinate ids, and those whose mode keeps their owner out. It starts the
// process that may when the first of them is come to.
type denied struct {
	dir   *os.File
	o     *Options
	proxy *proxy.Proxy // nil: not started, or there can be none
	tried bool
}

func (d *denied) close() { d.proxy.Close() }

// by is the process, nil if there can be none.
func (d *denied) by() *proxy.Proxy {
	if !d.tried {
		d.tried = true
		d.proxy, _ = Reader(*d.o, d.dir)
	}
	return d.proxy
}

// open opens a name in the layer, never a link. The file is the caller's, and tells of owners as the host does.
func (d *denied) open(path string, flags int) (*os.File, error) {
	f, err := inroot.Open(d.dir, "/"+path, flags|sys.O_NOFOLLOW, 0)
	if !errors.Is(err, os.ErrPermission) {
		return f, err
	}
	return d.openBy(path, flags, err)
}

// openBy is open by the process. why is what it is needed for, and stays the error if it is of no help.
func (d *denied) openBy(path string, flags int, why error) (*os.File, error) {
	p := d.by()
	if p == nil {
		return nil, why
	}
	f, err := p.Receive(func(t *tape.Tape, fd tape.Arg) { addOpenIn(t, path, flags).To(fd) })
	if err == nil || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return f, err
	}
	return nil, why
}

// addOpenIn adds opening a name in the layer.
func addOpenIn(t *tape.Tape, path string, flags int) tape.Op {
	flags |= sys.O_NOFOLLOW | sys.O_CLOEXEC
	if flags&sys.O_PATH == 0 {
		flags |= sys.O_NONBLOCK | sys.O_NOCTTY
	}
	return t.Openat2(tape.Int(proxy.FirstFile), "/"+path, flags, 0, sys.RESOLVE_IN_ROOT|sys.RESOLVE_NO_MAGICLINKS)
}

// names reads the names in a directory that is open with O_PATH.
func (d *denied) names(f *os.File, path string) ([]string, error) {
	names, err := namesIn(f)
	if !errors.Is(err, os.ErrPermission) {
		return names, err
	}
	again, err := d.openBy(path, sys.O_RDONLY|sys.O_DIRECTORY, err)
	if err != nil {
		return nil, err
	}
	defer again.Close()
	names, err = again.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// child opens a name in a directory with O_PATH.
func (d *denied) child(dir *os.File, name, path string) (*os.File, error) {
	fd, err := sys.Openat2(int(dir.Fd()), name, sys.O_PATH|sys.O_NOFOLLOW|sys.O_CLOEXEC, 0, 0)
	if err == nil {
		return os.NewFile(uintptr(fd), name), nil
	}
	if !os.IsPermission(err) {
		return nil, err
	}
	return d.openBy(path, sys.O_PATH, err)
}

// attribute reads an attribute that the caller sees and may not read. It is "" if nobody may.
func (d *denied) attribute(path, name string) (value string) {
	p := d.by()
	if p == nil {
		return ""
	}
	var n tape.Arg
	var buf tape.Ref
	_ = p.Run(func(t *tape.Tape) {
		fd := t.Slot("fd")
		n, buf = t.Slot("n"), t.Zero(maxXattr)
		addOpenIn(t, path, sys.O_RDONLY).To(fd)
		t.Fgetxattr(fd, name, buf).To(n).Ignore()
		t.Close(fd)
	}, func(r *proxy.Results) {
		if size := r.Result(n); size > 0 {
			value = string(r.Buffer(buf)[:size])
		}
	})
	return value
}

// maxXattr is XATTR_LIST_MAX and XATTR_SIZE_MAX; limits.h.
const maxXattr = 64 << 10
