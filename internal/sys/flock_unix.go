//go:build linux || darwin || freebsd

package sys

import (
	"os"
	"syscall"
)

// TryLock takes flock(2) on an open file without waiting; held by another, it is syscall.EWOULDBLOCK. The lock
// belongs to the open file: two opens of one name exclude each other even within a process, and the kernel
// lets go of it when the process dies.
func TryLock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// TryShare takes flock(2) as TryLock does, for one of several: only TryLock excludes it.
func TryShare(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// Unlock gives the lock back at once. Closing is not enough: a child between fork and exec still shares the
// open file.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// Held reports that err is what TryLock says of a lock held by another.
func Held(err error) bool { return err == syscall.EWOULDBLOCK }
