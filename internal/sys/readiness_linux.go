package sys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Readiness is a file that is readable while f is; waiting for it by WaitReady ends when it is closed, and f
// itself, which may block and be shared with other programs, stays as it is; epoll(7).
//
// Errors: syscall.EPERM for what is always ready, such as a regular file; epoll_ctl(2).
func Readiness(f *os.File) (*os.File, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	ready, err := PollableFile(fd, "readiness of "+f.Name())
	if err != nil {
		return nil, errors.Join(err, CloseFD(fd))
	}
	err = control(f, "epoll_ctl", func(watched int) error {
		return unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, watched, &unix.EpollEvent{Events: unix.EPOLLIN})
	})
	if err != nil {
		return nil, errors.Join(err, ready.Close())
	}
	return ready, nil
}
