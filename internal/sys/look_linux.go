package sys

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reading a tree by descriptors: what a name is, its attributes, and where a file has holes.
//   v3.1 SEEK_DATA, SEEK_HOLE; v4.11 statx.
// Errors are bare errnos.

// Lookat describes a name without following it, or dirfd itself if the name is empty.
func Lookat(dirfd int, name string) (Look, error) {
	var st unix.Statx_t
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_EMPTY_PATH
	err := again(func() error { return unix.Statx(dirfd, name, flags, StatxMask, &st) })
	if err != nil {
		return Look{}, err
	}
	return DecodeStatx((*[StatxSize]byte)(unsafe.Pointer(&st))[:]), nil
}

// Flistxattr is flistxattr(2): the names of the attributes of an open file, none where its file system has none.
func Flistxattr(fd int) ([]string, error) {
	var small [512]byte
	buf := small[:]
	for {
		n, err := retry(func() (int, error) { return unix.Flistxattr(fd, buf) })
		switch {
		case err == unix.ENOTSUP:
			return nil, nil
		case err == unix.ERANGE && len(buf) < xattrListMax:
			buf = make([]byte, xattrListMax)
			continue
		case err != nil:
			return nil, err
		}
		return SplitNames(buf[:n]), nil
	}
}

// xattrListMax is XATTR_LIST_MAX, and the limit of one value; xattr(7).
const xattrListMax = 64 << 10

// SplitNames reads what listxattr(2) has written: names that end with a NUL.
func SplitNames(b []byte) []string {
	var names []string
	for len(b) > 0 {
		name, rest, _ := bytes.Cut(b, []byte{0})
		if len(name) > 0 {
			names = append(names, string(name))
		}
		b = rest
	}
	return names
}

// Fgetxattr is fgetxattr(2).
func Fgetxattr(fd int, name string) ([]byte, error) {
	buf := make([]byte, 256)
	for {
		n, err := retry(func() (int, error) { return unix.Fgetxattr(fd, name, buf) })
		if err == unix.ERANGE && len(buf) < xattrListMax {
			buf = make([]byte, xattrListMax)
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// SeekData is where the first data at or behind off begin, lseek(2) with SEEK_DATA; ENXIO if there are none.
func SeekData(fd int, off int64) (int64, error) { return unix.Seek(fd, off, unix.SEEK_DATA) }

// SeekHole is where the first hole at or behind off begins; the end of the file counts as one.
func SeekHole(fd int, off int64) (int64, error) { return unix.Seek(fd, off, unix.SEEK_HOLE) }

// Pread is pread(2).
func Pread(fd int, p []byte, off int64) (int, error) {
	return retry(func() (int, error) { return unix.Pread(fd, p, off) })
}
