package sys

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stamp is what tells a file apart from another one, or a later state of its own; statx(2). Two are compared
// with ==.
type Stamp struct {
	Mode     uint16 // type and permissions
	UID, GID uint32
	Device   [2]uint32
	Inode    uint64
	Mount    uint64 // its number in /proc/self/mountinfo; since 5.8
	Changed  int64  // nanoseconds; for a directory also when a name in it came or went
}

// StampOf looks at a file without following a symbolic link, and without setting off an automount. Only if asked to it
// asks the server or program that a filesystem is of, which may never answer.
func StampOf(path string, ask bool) (Stamp, error) {
	const mask = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if !ask {
		flags |= unix.AT_STATX_DONT_SYNC
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, flags, mask, &st); err != nil {
		return Stamp{}, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return Stamp{}, &fs.PathError{Op: "statx", Path: path, Err: errors.ErrUnsupported}
	}
	return Stamp{
		st.Mode, st.Uid, st.Gid, [2]uint32{st.Dev_major, st.Dev_minor}, st.Ino, st.Mnt_id,
		st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec),
	}, nil
}

// IsDir tells whether the file is a directory.
func (s *Stamp) IsDir() bool { return s.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsRegular tells whether it is a regular file.
func (s *Stamp) IsRegular() bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }

// IsLink tells whether it is a symbolic link.
func (s *Stamp) IsLink() bool { return s.Mode&unix.S_IFMT == unix.S_IFLNK }

// MountMark is a text that is another one after a mount was attached or detached in the mount namespace:
// the numbers of all mounts, which are never used again, by listmount(2), since 6.8; before that, or where
// it is forbidden, the whole table, which takes the kernel thirty times as long to write.
func MountMark() (string, error) {
	if ids, err := listMounts(); err == nil {
		return ids, nil
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	return string(table), err
}

// listMounts is listmount(2) of the whole namespace: a number of eight bytes for each mount.
func listMounts() (string, error) {
	const all = ^uint64(0) // LSMT_ROOT
	request := struct {    // struct mnt_id_req, its first version
		size, spare uint32
		id, after   uint64
	}{24, 0, all, 0}
	for room := 256; ; room *= 4 {
		ids := make([]byte, 8*room)
		n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&request)),
			uintptr(unsafe.Pointer(&ids[0])), uintptr(room), 0, 0, 0)
		if errno != 0 {
			return "", os.NewSyscallError("listmount", errno)
		}
		if int(n) < room {
			return string(ids[:8*n]), nil
		}
	}
}
