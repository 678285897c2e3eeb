//go:build !linux

package changes

import (
	"errors"
	"os"
)

// Direct opens files with the rights of the program, on Linux only.
type Direct struct{}

// Root needs Linux.
func (Direct) Root(*os.File) (Dir, error) { return nil, errors.ErrUnsupported }
