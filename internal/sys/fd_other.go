//go:build !linux

package sys

import (
	"errors"
	"os"
)

// FDPath exists on Linux only.
func FDPath(*os.File) string { return "" }

// DupAbove exists on Linux only.
func DupAbove(fd uintptr, least int) (int, error) { return -1, errors.ErrUnsupported }

// CloseFD exists on Linux only.
func CloseFD(fd int) error { return errors.ErrUnsupported }
