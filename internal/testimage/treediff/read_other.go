//go:build !linux

package treediff

import "errors"

// Read is for Linux alone.
func Read(string, Form) (Tree, error) { return nil, errors.ErrUnsupported }
