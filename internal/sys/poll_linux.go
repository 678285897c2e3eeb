package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Ready reports, without waiting, whether a read of f would find something: bytes, the end, or, of a
// pidfd, that its process has ended; poll(2).
func Ready(f *os.File) (ready bool, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var polled error
	err = c.Control(func(fd uintptr) { ready, polled = pollIn(fd) })
	if err != nil {
		return false, err
	}
	return ready, polled
}

// WaitReady waits until Ready, in the network poller. The read deadline of f ends it early.
func WaitReady(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var polled error
	err = c.Read(func(fd uintptr) (ready bool) {
		ready, polled = pollIn(fd)
		return ready || polled != nil
	})
	if err != nil {
		return err
	}
	return polled
}

func pollIn(fd uintptr) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
	return n > 0, os.NewSyscallError("poll", err)
}
