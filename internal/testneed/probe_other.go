//go:build !linux

package testneed

import (
	"errors"
	"fmt"
	"runtime"
)

func notLinux() error {
	return fmt.Errorf("%s has none: %w", runtime.GOOS, errors.ErrUnsupported)
}

func root() error                       { return notLinux() }
func userNamespaces() error             { return notLinux() }
func subordinateIDs() error             { return notLinux() }
func cgroupV1(string) (string, error)   { return "", notLinux() }
func cgroupV2([]string) (string, error) { return "", notLinux() }
func userNamespaceRemedy() string       { return "run on Linux" }
