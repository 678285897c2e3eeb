//go:build !linux

package guardian

import "errors"

// Guardian guards processes, on Linux only.
type Guardian struct{}

// New returns a Guardian that guards nothing.
func New(dir string) *Guardian { return &Guardian{} }

// Entry is one guarded process.
type Entry struct{}

// Add needs Linux.
func (g *Guardian) Add(pid int) (*Entry, error) {
	return nil, &Error{Pid: pid, Err: errors.ErrUnsupported}
}

// Remove does nothing.
func (e *Entry) Remove() {}

// Close does nothing.
func (g *Guardian) Close() {}

// Quit does nothing.
func (g *Guardian) Quit() {}
