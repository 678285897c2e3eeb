//go:build !linux

package launch

import (
	"errors"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/tape"
)

// Process is a child of the host program. There are none but on Linux.
type Process struct{ Pid int }

// Start needs Linux.
func Start(*tape.Program, Options) (*Process, error) { return nil, errors.ErrUnsupported }

// Adopt needs Linux.
func Adopt(pid int) (*Process, error) { return nil, errors.ErrUnsupported }

// Pidfd needs Linux.
func (p *Process) Pidfd() *os.File { return nil }

// Done needs Linux.
func (p *Process) Done() <-chan struct{} { return nil }

// Wait needs Linux.
func (p *Process) Wait() (status syscall.WaitStatus, usage *syscall.Rusage, err error) {
	return status, nil, errors.ErrUnsupported
}

// WaitThen needs Linux.
func (p *Process) WaitThen(before func()) (status syscall.WaitStatus, usage *syscall.Rusage, err error) {
	return status, nil, errors.ErrUnsupported
}

// Signal needs Linux.
func (p *Process) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Kill needs Linux.
func (p *Process) Kill() {}

// Close needs Linux.
func (p *Process) Close() {}
