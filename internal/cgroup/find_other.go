//go:build !linux

package cgroup

import "errors"

// Find needs Linux.
func Find() (*Host, error) {
	return nil, &Error{"open", "cgroup", errors.ErrUnsupported, "control groups need Linux"}
}
