package guardian

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed reports that the Guardian was closed.
	ErrClosed = errors.New("guardian: it is closed")

	// ErrPid reports a number that is not the id of a process that can be guarded.
	ErrPid = errors.New("not the id of a single process other than the host program and init")
)

// Error reports a process that cannot be guarded. Err leads to the errno.
type Error struct {
	Pid int
	Err error
}

// Error names the process and a remedy.
func (e *Error) Error() string {
	if errors.Is(e.Err, ErrPid) {
		return fmt.Sprintf("guardian: %d is %v", e.Pid, e.Err)
	}
	return fmt.Sprintf("guardian: cannot guard process %d: %v; allow the program one more process and five descriptors", e.Pid, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
