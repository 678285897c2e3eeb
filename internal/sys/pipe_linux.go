package sys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe makes a pipe, closed on exec. Reading from the first end waits in the network poller; the second is for a
// child, and the poller, which would be woken at once because it can be written to, does not know it.
func Pipe() (mine, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "pipe")
	mine, err = PollableFile(fds[0], "pipe")
	if err != nil {
		return nil, nil, errors.Join(err, CloseFD(fds[0]), theirs.Close())
	}
	return mine, theirs, nil
}

// PipeSize is the capacity of a pipe in bytes, or -1; fcntl(2), F_GETPIPE_SZ.
func PipeSize(f *os.File) int {
	size := -1
	_ = control(f, "fcntl", func(fd int) (err error) {
		size, err = unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
		return err
	})
	return size
}
