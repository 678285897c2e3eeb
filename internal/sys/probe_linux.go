package sys

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that only a probe of the host makes: what a start of a container does, it does by a tape.

// WaitPidfdNow looks, by its descriptor, at a child that has ended, and does not reap it; waitid(2),
// P_PIDFD since 5.4.
func WaitPidfdNow(pidfd *os.File) error {
	return control(pidfd, "waitid", func(fd int) error {
		_, err := retry(func() (int, error) {
			return 0, unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		})
		return err
	})
}

// LandlockABI is the version of Landlock's interface, from 1; landlock_create_ruleset(2), since 5.13.
// ENOSYS: not compiled in; EOPNOTSUPP: not switched on at boot.
func LandlockABI() (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(nil)), 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	return int(n), nil
}

// Release is the kernel's release, such as "6.12.9"; uname(2).
func Release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
