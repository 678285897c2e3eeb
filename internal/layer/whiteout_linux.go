package layer

import (
	"archive/tar"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// whiteout hides a name of the layers below. By the image specification it never hides what its own layer has: a file
// of this layer already hides the one below, and a directory of this layer becomes opaque.
func (u *unpacker) whiteout(n entryName, h *tar.Header) error {
	if h.Typeflag == tar.TypeDir {
		return fail("whiteout", ErrName)
	}
	parent, err := u.parentOf(n.dir)
	if err != nil {
		return err
	}
	path := join(parent.path, n.base)
	if d := u.known[path]; d != nil {
		d.opaque = true
		return nil
	}
	dir, err := u.handleOf(parent)
	if err != nil {
		return err
	}
	u.whiteouts = true
	if err := u.do(step{verb: toMknod, dir: dir, name: n.base, mode: sys.S_IFCHR, path: path}); err != nil {
		return err
	}
	return u.markLate()
}

// markLate makes the directories opaque that judge has found in the place of whiteouts.
func (u *unpacker) markLate() error {
	if !u.forgot { // every directory is known
		return nil
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	for _, path := range u.late {
		d, err := u.walk(path, false)
		if err != nil {
			return err
		}
		d.opaque = true
	}
	u.late = nil
	return nil
}

func whiteoutError(err error) error {
	e := &Error{Op: "whiteout", Err: err}
	if err == syscall.EPERM {
		e.Hint = "a 0:0 device needs Linux 5.8, a seccomp filter that allows it, and a file system that is no overlay itself"
	}
	return e
}

// opaqueEntry hides everything that the layers below have in a directory.
func (u *unpacker) opaqueEntry(n entryName) error {
	d, err := u.parentOf(n.dir)
	if err != nil {
		return err
	}
	d.opaque = true
	if d == u.top {
		u.stats.RootOpaque = true
	}
	return nil
}
