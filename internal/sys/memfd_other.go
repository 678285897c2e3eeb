//go:build !linux

package sys

import (
	"errors"
	"os"
)

// Sealed exists on Linux only.
func Sealed(name string, contents []byte) (*os.File, error) { return nil, errors.ErrUnsupported }

// Memfd exists on Linux only.
func Memfd(name string) (*os.File, error) { return nil, errors.ErrUnsupported }

// Seal exists on Linux only.
func Seal(*os.File) error { return errors.ErrUnsupported }

// SharedMemory exists on Linux only.
func SharedMemory(name string, size int64) (*os.File, error) { return nil, errors.ErrUnsupported }

// Reopen exists on Linux only.
func Reopen(f *os.File, flags int) (*os.File, error) { return nil, errors.ErrUnsupported }

// TempFile exists on Linux only.
func TempFile(dir string, mode uint32) (*os.File, error) { return nil, errors.ErrUnsupported }
