package sys

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// retry repeats a call that a signal interrupted; signal(7).
func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

// FDPath is the path of an open file in the proc filesystem of the process that opens it.
func FDPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// DupAbove duplicates a descriptor to the first free number from least on, closed on exec.
func DupAbove(fd uintptr, least int) (int, error) {
	n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, least)
	return n, os.NewSyscallError("fcntl", err)
}

// CloseFD closes a descriptor that no os.File owns.
func CloseFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// Dup is another descriptor of the same open file, closed on exec.
func Dup(f *os.File) (*os.File, error) {
	var dup int
	err := control(f, "fcntl", func(fd int) (err error) {
		dup, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), f.Name()), nil
}
