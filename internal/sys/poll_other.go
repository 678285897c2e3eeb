//go:build !linux

package sys

import (
	"errors"
	"os"
)

// Ready exists on Linux only.
func Ready(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// WaitReady exists on Linux only.
func WaitReady(*os.File) error { return errors.ErrUnsupported }
