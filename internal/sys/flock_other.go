//go:build !linux && !darwin && !freebsd && !windows

package sys

import (
	"errors"
	"os"
)

// TryLock is not available here.
func TryLock(*os.File) error { return errors.ErrUnsupported }

// TryShare is not available here.
func TryShare(*os.File) error { return errors.ErrUnsupported }

// Unlock is not available here.
func Unlock(*os.File) error { return errors.ErrUnsupported }

// Held reports that err is what TryLock says of a lock held by another.
func Held(error) bool { return false }
