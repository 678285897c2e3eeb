//go:build !linux

package sys

import (
	"errors"
	"os"
	"syscall"
)

// PidfdOpen exists on Linux only.
func PidfdOpen(pid int) (int, error) { return -1, errors.ErrUnsupported }

// PollableFile exists on Linux only.
func PollableFile(fd int, name string) (*os.File, error) { return nil, errors.ErrUnsupported }

// PidfdSignal exists on Linux only.
func PidfdSignal(*os.File, syscall.Signal) error { return errors.ErrUnsupported }

// WaitPidfd exists on Linux only.
func WaitPidfd(pidfd *os.File, pid int, usage *syscall.Rusage, before func()) (status syscall.WaitStatus, err error) {
	return status, errors.ErrUnsupported
}
