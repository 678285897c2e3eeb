package sys

import (
	"os"

	"golang.org/x/sys/windows"
)

// TryLock takes LockFileEx on the first byte of an open file without waiting. The system lets go of it when the
// process dies.
func TryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}

// TryShare takes LockFileEx as TryLock does, for one of several: only TryLock excludes it.
func TryShare(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
}

// Unlock gives the lock back.
func Unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, new(windows.Overlapped))
}

// Held reports that err is what TryLock says of a lock held by another.
func Held(err error) bool {
	return err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING
}
