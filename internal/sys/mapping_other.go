//go:build !linux

package sys

import (
	"errors"
	"os"
)

// Map exists on Linux only.
func Map(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

// Unmap exists on Linux only.
func Unmap([]byte) error { return errors.ErrUnsupported }
