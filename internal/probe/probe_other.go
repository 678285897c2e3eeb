//go:build !linux

package probe

import (
	"context"
	"errors"
)

// Run needs Linux: everything is unknown in its report.
//
// Errors: errors.ErrUnsupported.
func Run(context.Context, *Host) (*Report, error) { return &Report{}, errors.ErrUnsupported }
