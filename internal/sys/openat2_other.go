//go:build !linux

package sys

import "errors"

// Openat2 exists on Linux only.
func Openat2(dirfd int, path string, flags int, mode uint32, resolve uint64) (int, error) {
	return -1, errors.ErrUnsupported
}

// Mkdirat exists on Linux only.
func Mkdirat(dirfd int, name string, mode uint32) error { return errors.ErrUnsupported }

// Readlinkat exists on Linux only.
func Readlinkat(dirfd int, name string) (string, error) { return "", errors.ErrUnsupported }

// Read exists on Linux only.
func Read(fd int, p []byte) (int, error) { return 0, errors.ErrUnsupported }
