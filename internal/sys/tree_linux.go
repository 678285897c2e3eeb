package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Making, describing and removing the entries of a directory that is held as a descriptor.
//   v2.6.16 the *at calls; v5.8 utimensat with AT_EMPTY_PATH; v5.8 a 0:0 character device without CAP_MKNOD;
//   v6.6 fchmodat2.
// None of them follows a symbolic link in the last component. Names must be single components: the caller
// finds the directory with Openat2 first. Errors are bare errnos.

// Entry describes a directory entry as fstatat(2) does.
type Entry struct {
	Dev, Ino, Rdev uint64
	Mode           uint32 // type and permission bits
	UID, GID       uint32
	Mtime          Time
}

// IsDir reports a directory.
func (e *Entry) IsDir() bool { return e.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsSymlink reports a symbolic link.
func (e *Entry) IsSymlink() bool { return e.Mode&unix.S_IFMT == unix.S_IFLNK }

// IsWhiteout reports what overlayfs takes for a removed name: a character device 0:0.
// Kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
func (e *Entry) IsWhiteout() bool { return e.Mode&unix.S_IFMT == unix.S_IFCHR && e.Rdev == 0 }

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// Lstatat describes a name without following it.
func Lstatat(dirfd int, name string) (Entry, error) {
	return statat(dirfd, name, unix.AT_SYMLINK_NOFOLLOW)
}

// Fstat describes an open file.
func Fstat(fd int) (Entry, error) { return statat(fd, "", unix.AT_EMPTY_PATH) }

func statat(dirfd int, name string, flags int) (Entry, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(dirfd, name, &st, flags) }); err != nil {
		return Entry{}, err
	}
	return Entry{
		Dev: uint64(st.Dev), Ino: st.Ino, Rdev: uint64(st.Rdev),
		Mode: st.Mode, UID: st.Uid, GID: st.Gid,
		Mtime: Time{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)},
	}, nil
}

// CreateExcl makes a regular file of mode 0600 that must not exist, open for writing.
func CreateExcl(dirfd int, name string) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(dirfd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	return fd, err
}

// OpenDirat opens a directory, not a link to one, for listing.
func OpenDirat(dirfd int, name string) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// Truncate is ftruncate(2).
func Truncate(fd int, size int64) error {
	return again(func() error { return unix.Ftruncate(fd, size) })
}

// Mknodat is mknodat(2). The umask of the process applies to mode.
func Mknodat(dirfd int, name string, mode uint32, dev uint64) error {
	return again(func() error { return unix.Mknodat(dirfd, name, mode, int(dev)) })
}

// Symlinkat is symlinkat(2).
func Symlinkat(target string, dirfd int, name string) error {
	return again(func() error { return unix.Symlinkat(target, dirfd, name) })
}

// Linkat is linkat(2): a symbolic link is linked itself.
func Linkat(olddir int, oldname string, newdir int, newname string) error {
	return again(func() error { return unix.Linkat(olddir, oldname, newdir, newname, 0) })
}

// Renameat is renameat(2).
func Renameat(olddir int, oldname string, newdir int, newname string) error {
	return again(func() error { return unix.Renameat(olddir, oldname, newdir, newname) })
}

// Unlinkat removes a name that is no directory (EISDIR).
func Unlinkat(dirfd int, name string) error {
	return again(func() error { return unix.Unlinkat(dirfd, name, 0) })
}

// Rmdirat removes an empty directory; otherwise ENOTEMPTY.
func Rmdirat(dirfd int, name string) error {
	return again(func() error { return unix.Unlinkat(dirfd, name, unix.AT_REMOVEDIR) })
}

// Lchownat changes the owner of the entry itself, never of what a link points to.
func Lchownat(dirfd int, name string, uid, gid uint32) error {
	return again(func() error {
		return unix.Fchownat(dirfd, name, int(int32(uid)), int(int32(gid)), unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Fchown changes the owner of an open file. It clears the set-user-id bit and the file capabilities.
func Fchown(fd int, uid, gid uint32) error {
	return again(func() error { return unix.Fchown(fd, int(int32(uid)), int(int32(gid))) })
}

// Fchmod changes the permission bits of an open file; the umask does not apply.
func Fchmod(fd int, mode uint32) error {
	return again(func() error { return unix.Fchmod(fd, mode) })
}

// Lchmodat changes the permission bits of a name without opening or following it. Before 6.6 there is no such
// call, and a filter that does not know fchmodat2 may say EPERM: then the entry is opened with O_PATH, and the
// change goes through its name in proc, as chmod(2) has it for descriptors. A symbolic link is EOPNOTSUPP.
func Lchmodat(dirfd int, name string, mode uint32) error {
	err := again(func() error { return unix.Fchmodat(dirfd, name, mode, unix.AT_SYMLINK_NOFOLLOW) })
	if err != unix.EOPNOTSUPP && err != unix.ENOSYS && err != unix.EPERM {
		return err
	}
	var fd int
	err = again(func() (err error) {
		fd, err = unix.Openat(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if e, err := Fstat(fd); err != nil {
		return err
	} else if e.IsSymlink() {
		return unix.EOPNOTSUPP
	}
	return again(func() error { return unix.Fchmodat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), mode, 0) })
}

// Lutimesat sets both time stamps of a name without following it. An empty name means the directory itself.
func Lutimesat(dirfd int, name string, t Time) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags = unix.AT_EMPTY_PATH
	}
	ts := []unix.Timespec{{Sec: t.Sec, Nsec: t.Nsec}, {Sec: t.Sec, Nsec: t.Nsec}}
	return again(func() error { return unix.UtimesNanoAt(dirfd, name, ts, flags) })
}

// Fsetxattr is fsetxattr(2).
func Fsetxattr(fd int, name string, value []byte) error {
	return again(func() error { return unix.Fsetxattr(fd, name, value, 0) })
}

// Fremovexattr is fremovexattr(2).
func Fremovexattr(fd int, name string) error {
	return again(func() error { return unix.Fremovexattr(fd, name) })
}
