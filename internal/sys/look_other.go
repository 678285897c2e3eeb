//go:build !linux

package sys

import "errors"

// Lookat exists on Linux only.
func Lookat(dirfd int, name string) (Look, error) { return Look{}, errors.ErrUnsupported }

// SeekData exists on Linux only.
func SeekData(fd int, off int64) (int64, error) { return 0, errors.ErrUnsupported }

// SeekHole exists on Linux only.
func SeekHole(fd int, off int64) (int64, error) { return 0, errors.ErrUnsupported }

// Pread exists on Linux only.
func Pread(fd int, p []byte, off int64) (int, error) { return 0, errors.ErrUnsupported }
