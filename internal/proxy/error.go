package proxy

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrClosed reports that Close was called.
	ErrClosed = errors.New("proxy: it is closed")

	// ErrGone reports that the proxy's process has ended: start another one.
	ErrGone = errors.New("proxy: its process has ended; start another one")
)

// OpError reports the operation that failed. The operations behind it have not run. errors.Is sees through
// to the errno.
type OpError struct {
	Index   int  // among the operations of this Do, or of Enter, Prelude and the proxy's own
	Prelude bool // it failed before the loop
	Op      string
	Errno   syscall.Errno
}

// Error prints the operation as strace does.
func (e *OpError) Error() string {
	what := "operation"
	if e.Prelude {
		what = "prelude, operation"
	}
	return fmt.Sprintf("proxy: %s %d: %s: %v", what, e.Index, e.Op, e.Errno)
}

// Unwrap returns the errno.
func (e *OpError) Unwrap() error { return e.Errno }
