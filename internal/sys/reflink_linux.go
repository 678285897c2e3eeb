package sys

import "golang.org/x/sys/unix"

// Copying inside the kernel.
//   v4.5 FICLONE, copy_file_range; v5.3 copy_file_range between file systems, v5.19 only where they are of one kind.
// Errors are bare errnos.

// Ficlone makes all of one file share its blocks with another, ioctl_ficlone(2). Where the file system cannot, it is
// EOPNOTSUPP, and EXDEV between two.
func Ficlone(to, from int) error {
	return again(func() error { return unix.IoctlFileClone(to, from) })
}

// CopyRange copies up to n bytes between the same offsets of two files, and returns how many; 0 at the end.
func CopyRange(to, from int, off, n int64) (int64, error) {
	in, out := off, off
	got, err := retry(func() (int, error) {
		return unix.CopyFileRange(from, &in, to, &out, int(min(n, 1<<30)), 0)
	})
	return int64(got), err
}

// Pwrite is pwrite(2), repeated until all of p is written.
func Pwrite(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, off)
		if err != nil && err != unix.EINTR {
			return err
		}
		n = max(n, 0)
		p, off = p[n:], off+int64(n)
	}
	return nil
}
