package caisson

import (
	"errors"
	"path/filepath"
)

// Overlay is a union of directories: what is read comes from the topmost that has it, and what is
// written goes to the upper one alone. Kernel: Documentation/filesystems/overlayfs.rst.
//
// It can be used without a container. Mounting needs CAP_SYS_ADMIN over the host program's mount
// namespace. An Overlay is its fields and nothing else: its methods may be called from several goroutines.
type Overlay struct {
	// Lower are the read-only directories, bottom to top. They must not change while mounted. At least
	// one, or two without Upper.
	Lower []string

	// Upper receives what is written. Empty: the overlay is read-only. Its filesystem must have file
	// types in directories and extended attributes: ext4, xfs, btrfs, tmpfs do; overlay and NFS do not.
	Upper string

	// Work is an empty directory on the filesystem of Upper, for the kernel. Required with Upper.
	Work string

	// Volatile leaves out every sync: faster, and after a crash the upper directory is lost. Since 5.10.
	Volatile bool
}

// Mount attaches the overlay to an existing directory.
//
// Errors: *Error; fs.ErrPermission without privilege, fs.ErrNotExist for a missing directory,
// syscall.EINVAL for a filesystem that cannot be a layer, errors.ErrUnsupported elsewhere than on Linux.
func (o *Overlay) Mount(target string) error {
	if err := o.check(); err != nil {
		return &Error{"overlay", target, err, "see the fields of Overlay"}
	}
	abs, err := filepath.Abs(target)
	if err != nil {
		return &Error{"overlay", target, err, ""}
	}
	if err := o.mount(abs); err != nil {
		return &Error{"overlay", target, err, overlayHint(err)}
	}
	return nil
}

// Unmount detaches the overlay from a directory, at once for new users and for the others when they are
// done.
//
// Errors: *Error; fs.ErrPermission without privilege, fs.ErrNotExist for a missing directory, syscall.EINVAL
// if nothing is mounted there, errors.ErrUnsupported elsewhere than on Linux. Source: umount2(2), MNT_DETACH.
func (o *Overlay) Unmount(target string) error {
	if err := unmount(target); err != nil {
		return &Error{"umount2", target, err, "is it mounted, and are you root?"}
	}
	return nil
}

func (o *Overlay) check() error {
	switch {
	case len(o.Lower) == 0:
		return errors.New("no lower directory")
	case o.Upper == "" && len(o.Lower) == 1:
		return errors.New("one lower directory and no upper: bind it instead")
	case o.Upper != "" && o.Work == "":
		return errors.New("an upper directory needs a work directory")
	case o.Upper == "" && o.Work != "":
		return errors.New("a work directory without an upper one")
	}
	return nil
}
