package sys

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// PidfdOpen opens a process; pidfd_open(2).
func PidfdOpen(pid int) (int, error) {
	fd, err := retry(func() (int, error) { return unix.PidfdOpen(pid, 0) })
	return fd, os.NewSyscallError("pidfd_open", err)
}

// PollableFile makes a file of a descriptor for which reads wait in the network poller.
func PollableFile(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// PidfdSignal sends a signal; pidfd_send_signal(2).
func PidfdSignal(pidfd *os.File, sig syscall.Signal) error {
	c, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = c.Control(func(fd uintptr) {
		sent = os.NewSyscallError("pidfd_send_signal", unix.PidfdSendSignal(int(fd), sig, nil, 0))
	})
	if err != nil {
		return err
	}
	return sent
}

// WaitPidfd waits for a child to end, calls before if that is not nil, and reaps it. A pidfd is readable
// once its process has ended, so no thread blocks meanwhile; pidfd_open(2), NOTES.
func WaitPidfd(pidfd *os.File, pid int, usage *syscall.Rusage, before func()) (status syscall.WaitStatus, err error) {
	c, err := pidfd.SyscallConn()
	if err != nil {
		return 0, err
	}
	var waited error
	err = c.Read(func(fd uintptr) bool {
		var ended bool
		if ended, waited = waitable(pid); ended || waited != nil || !readable(int(fd)) {
			return ended || waited != nil
		}
		// It is dead by now. If it still cannot be waited for, it is somebody else's first.
		if ended, waited = waitable(pid); !ended && waited == nil {
			waited = ErrHeld
		}
		return true
	})
	if err = firstError(err, waited); err != nil {
		return 0, err
	}
	if before != nil {
		before()
	}
	_, err = retry(func() (int, error) { return syscall.Wait4(pid, &status, unix.WALL, usage) })
	return status, os.NewSyscallError("wait4", err)
}

// ErrHeld reports a child that is dead but whose end the kernel gives to its tracer first; ptrace(2).
var ErrHeld = errors.New("dead, and held by a process that traces it")

// Reap waits for a child, however long its tracer holds it. It blocks a thread.
func Reap(pid int) (status syscall.WaitStatus, usage syscall.Rusage, err error) {
	_, err = retry(func() (int, error) { return syscall.Wait4(pid, &status, unix.WALL, &usage) })
	return status, usage, os.NewSyscallError("wait4", err)
}

func waitable(pid int) (bool, error) {
	var info unix.Siginfo
	err := waitid(pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG|unix.WALL)
	return info.Signo != 0, err
}

// readable tells whether a read would not wait; of a pidfd, that its process is dead.
func readable(fd int) bool {
	n, err := retry(func() (int, error) {
		return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	})
	return err == nil && n > 0
}

func waitid(pid int, info *unix.Siginfo, options int) error {
	_, err := retry(func() (int, error) { return 0, unix.Waitid(unix.P_PID, pid, info, options, nil) })
	return os.NewSyscallError("waitid", err)
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// AwaitDeath waits until a process, which need not be a child, is dead, or for a time, and tells whether it is;
// pidfd_open(2).
func AwaitDeath(pidfd *os.File, limit time.Duration) (dead bool) {
	_ = control(pidfd, "poll", func(fd int) error {
		n, err := retry(func() (int, error) {
			return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(limit.Milliseconds()))
		})
		dead = n > 0
		return err
	})
	return dead
}
