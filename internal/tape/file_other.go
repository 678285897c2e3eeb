//go:build !linux

package tape

import (
	"errors"
	"os"
)

// File needs Linux.
func (p *Program) File(dir string) (*os.File, error) { return nil, errors.ErrUnsupported }
