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
	if err := u.enter(n.dir, 0); err != nil {
		return err
	}
	err := sys.Mknodat(u.at.fd(), n.base, sys.S_IFCHR, 0)
	if err != syscall.EEXIST {
		return whiteoutError(err)
	}
	e, err := sys.Lstatat(u.at.fd(), n.base)
	if err != nil {
		return fail("stat", err)
	}
	if e.IsDir() {
		return u.setOpaque(n.base)
	}
	return nil
}

func whiteoutError(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: "whiteout", Err: err}
	if err == syscall.EPERM {
		e.Hint = "a 0:0 device needs Linux 5.8, a seccomp filter that allows it, and a file system that is no overlay itself"
	}
	return e
}

// opaque hides everything that the layers below have in a directory.
func (u *unpacker) opaque(n entryName) error {
	if err := u.enter(n.dir, 0); err != nil {
		return err
	}
	if n.dir == "" {
		u.stats.RootOpaque = true
	}
	return u.markOpaque(u.at.fd())
}

// setOpaque is opaque for a directory in the current one.
func (u *unpacker) setOpaque(base string) error {
	fd, err := sys.OpenDirat(u.at.fd(), base)
	if err != nil {
		return fail("open", err)
	}
	defer sys.CloseFD(fd)
	return u.markOpaque(fd)
}

// markOpaque sets the attribute that ends overlayfs's search for more directories to merge. Failing to is an error:
// the container would see files that the image removed.
func (u *unpacker) markOpaque(fd int) error {
	name, hint := "trusted.overlay.opaque", "without root, set UserXattr"
	if u.o.UserXattr {
		name, hint = "user.overlay.opaque", "the file system must have user extended attributes (tmpfs since Linux 6.6)"
	}
	if err := sys.Fsetxattr(fd, name, []byte("y")); err != nil {
		return &Error{Op: "setxattr " + name, Err: err, Hint: hint}
	}
	return nil
}
