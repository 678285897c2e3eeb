//go:build !linux

package sys

// BootID is not known here.
func BootID() string { return "" }
