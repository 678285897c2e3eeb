//go:build !linux

package caisson

import (
	"context"
	"errors"
	"os"
	"time"
)

// live is what a container is on Linux. Elsewhere there is none.
type live struct {
	timings []Timing
}

var errNotLinux = &Error{"clone", "container", errors.ErrUnsupported, "containers need Linux; images work here"}

func (c *Container) start(context.Context) (*live, error) { return nil, errNotLinux }
func (l *live) exited() <-chan struct{}                   { return nil }
func (l *live) ended() bool                               { return true }
func (l *live) pid() int                                  { return 0 }
func (l *live) signal(os.Signal) error                    { return errNotLinux }
func (l *live) resize(Winsize) error                      { return errNotLinux }
func (l *live) wait(context.Context, time.Duration) error { return errNotLinux }
func (l *live) close() error                              { return nil }
func (c *Container) stopSignal() (os.Signal, error)       { return nil, errNotLinux }
func brokenPipe(error) bool                               { return false }
func terminalGone(error) bool                             { return false }
func (p *Process) start(context.Context) (*live, error)   { return nil, errNotLinux }
