package caisson

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Error reports the step that failed. errors.Is sees through to the errno:
// errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported).
type Error struct {
	Op   string // the plan's verb: "mount", "clone", "pull"
	Path string // its object: a mount point, a cgroup file, an image reference
	Err  error  // usually an *os.SyscallError
	Hint string // one remedy, or ""
}

// Error is one line: what failed, with what, why, and what to do.
func (e *Error) Error() string {
	s := "caisson: " + e.Op
	if e.Path != "" {
		s += " " + shorten(e.Path)
	}
	s += ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitError reports that a program ended otherwise than with status 0.
type ExitError struct {
	Code   int            // exit status, or 128 and the signal's number
	Signal syscall.Signal // what killed the program; 0 if it exited
	OOM    bool           // the kernel killed a process of the container because its memory limit was reached
	Stderr []byte         // what it last wrote to its standard error, as far as Output kept it
}

// Error says why the program ended.
func (e *ExitError) Error() string {
	var s string
	switch {
	case e.OOM:
		s = "out of memory: the limit of the container was reached"
	case e.Signal != 0:
		s = "signal: " + e.Signal.String()
	default:
		s = fmt.Sprintf("exit status %d", e.Code)
	}
	if tail := strings.TrimSpace(string(e.Stderr)); tail != "" {
		if i := strings.LastIndexByte(tail, '\n'); i >= 0 {
			tail = tail[i+1:]
		}
		s += ": " + tail
	}
	return s
}

// Exit codes of shells and of docker run, for a program that did not get to run.
const (
	exitEngine   = 125 // the container could not be made
	exitNotExec  = 126 // the program was found and cannot be executed
	exitNotFound = 127 // the program was not found
)

// ExitCode is the status that a command line should exit with after err, as docker run does: 0 for nil,
// the program's own status or 128 and its signal for an *ExitError, 127 where the program was not found,
// 126 where it cannot be executed, and 125 for everything else.
func ExitCode(err error) int {
	var exit *ExitError
	var e *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &e) && e.Op == "execve" && errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	case errors.As(err, &e) && e.Op == "execve":
		return exitNotExec
	}
	return exitEngine
}

// ErrClosed is returned by methods of a container that has been closed.
var ErrClosed = fmt.Errorf("caisson: container is closed: %w", fs.ErrClosed)
