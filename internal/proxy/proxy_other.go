//go:build !linux

package proxy

import (
	"errors"
	"os"

	"github.com/caisson-go/caisson/internal/tape"
)

// Proxy is a process that makes system calls for the host program, on Linux only.
type Proxy struct{}

// Start needs Linux.
func Start(Options) (*Proxy, error) { return nil, errors.ErrUnsupported }

// Pid needs Linux.
func (p *Proxy) Pid() int { return -1 }

// Do needs Linux.
func (p *Proxy) Do(build func(*tape.Tape)) error { return errors.ErrUnsupported }

// Results is what a tape has left behind when it has run.
type Results struct{}

// Result needs Linux.
func (r *Results) Result(at tape.Arg) int64 { return 0 }

// Buffer needs Linux.
func (r *Results) Buffer(ref tape.Ref) []byte { return nil }

// Run needs Linux.
func (p *Proxy) Run(build func(*tape.Tape), read func(*Results)) error { return errors.ErrUnsupported }

// Send needs Linux.
func (p *Proxy) Send(f *os.File) (int, error) { return -1, errors.ErrUnsupported }

// Receive needs Linux.
func (p *Proxy) Receive(build func(t *tape.Tape, fd tape.Arg)) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

// Close does nothing.
func (p *Proxy) Close() {}

// RemoveAll needs Linux.
func RemoveAll(p *Proxy, dir tape.Arg, name string) error { return errors.ErrUnsupported }

// Collect needs Linux.
func (p *Proxy) Collect(build func(t *tape.Tape, send func(r tape.Rights)), read func(*Results)) ([]*os.File, error) {
	return nil, errors.ErrUnsupported
}
