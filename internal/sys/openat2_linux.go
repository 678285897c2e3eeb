package sys

import (
	"golang.org/x/sys/unix"
)

// Path lookup below a directory descriptor.
//   v5.6 openat2(2), RESOLVE_IN_ROOT, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS.
// Every wrapper repeats a call that a signal interrupted (EINTR): the Go runtime preempts its threads
// with signals, and a lookup on a network or FUSE file system can be interrupted by one.

// Openat2 is openat2(2). Unlike open(2) it refuses what it does not know: unknown flags, a mode without
// O_CREAT, and anything beside O_CLOEXEC, O_DIRECTORY and O_NOFOLLOW together with O_PATH are EINVAL.
func Openat2(dirfd int, path string, flags int, mode uint32, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(uint32(flags)), Mode: uint64(mode), Resolve: resolve}
	for {
		fd, err := unix.Openat2(dirfd, path, &how)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Mkdirat is mkdirat(2). The umask of the process applies to mode.
func Mkdirat(dirfd int, name string, mode uint32) error {
	for {
		if err := unix.Mkdirat(dirfd, name, mode); err != unix.EINTR {
			return err
		}
	}
}

// Readlinkat is readlinkat(2). An empty name reads the link that dirfd itself is, opened with O_PATH and
// O_NOFOLLOW. A target never exceeds PATH_MAX bytes; one that fills the buffer is ENAMETOOLONG, because
// the kernel cuts silently.
func Readlinkat(dirfd int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	for {
		n, err := unix.Readlinkat(dirfd, name, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", err
		case n >= len(buf):
			return "", unix.ENAMETOOLONG
		}
		return string(buf[:n]), nil
	}
}

// Read is read(2) without the Go runtime's poller: on a descriptor opened with O_NONBLOCK it answers EAGAIN
// where os.File.Read would wait.
func Read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}
