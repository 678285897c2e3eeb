package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenBlocking opens a file that the network poller need not be asked about: a directory, or a device that never
// blocks. os.Open asks in six system calls.
func OpenBlocking(path string, flags int) (*os.File, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
