package caisson

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// Error reports the step that failed. errors.Is sees through to the errno:
// errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported).
type Error struct {
	Op   string // the plan's verb, such as "mount", "clone", "execve"; "pull", "save"; "spec" for a field that cannot be
	Path string // its object: a mount point, a cgroup file, an image reference or ID, a directory, a field of Spec
	Err  error  // usually an *os.SyscallError; that of a context that is done
	Hint string // one remedy, or ""
}

// Error is one line: what failed, with what, why, and what to do. An object with characters that are not to
// be printed is quoted as in Go.
func (e *Error) Error() string {
	s := "caisson: " + e.Op
	if e.Path != "" {
		s += " " + printable(shorten(e.Path))
	}
	s += ": " + e.reason()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// reason is the text of the cause, without what has been said already.
func (e *Error) reason() string {
	switch err := e.Err.(type) {
	case nil:
		return "failed"
	case *os.SyscallError:
		if err.Syscall == e.Op {
			return err.Err.Error()
		}
	case *fs.PathError:
		if err.Path == e.Path {
			return err.Err.Error()
		}
	}
	return e.Err.Error()
}

// printable quotes what would spoil a line, or a terminal.
func printable(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
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
// 126 where it cannot be executed, and 125 for everything else, a mistake in the Spec for one.
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

// What a Container or a Process says when its time for something has not come or is over; *Error has which one
// it is.
var (
	// ErrNotStarted: it runs only after Start, and never if Start failed.
	ErrNotStarted = errors.New("not started")

	// ErrStarted: Start was called before. There is one start, also if it fails.
	ErrStarted = errors.New("started already")

	// ErrClosed: Close was called. errors.Is finds fs.ErrClosed too.
	ErrClosed error = closedError{}
)

// ErrInUse is why an image or a snapshot is not removed: a container uses it. errors.Is finds syscall.EBUSY too.
var ErrInUse error = inUse{errors.New("in use")}

// inUse is an ErrInUse that says by whom.
type inUse struct{ error }

func (inUse) Is(target error) bool {
	_, same := target.(inUse)
	return same || target == syscall.EBUSY
}

type closedError struct{}

func (closedError) Error() string        { return "closed" }
func (closedError) Is(target error) bool { return target == fs.ErrClosed }

// named makes an error of this package of one that does not say what it is about.
func named(op string, object func() string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{op, object(), err, lifeHint(err)}
}

// lifeHint is a remedy for what comes at the wrong time.
func lifeHint(err error) string {
	switch {
	case errors.Is(err, ErrNotStarted):
		return "call Start first"
	case errors.Is(err, ErrStarted):
		return "there is one start, and pipes are made before it"
	case errors.Is(err, errNoSnap):
		return "Container.Snapshot makes one, Engine.Snapshot finds one"
	case errors.Is(err, errOtherEngine):
		return "use one that a container of the same engine has made"
	case errors.Is(err, errRestart):
		return "wait for it"
	case errors.Is(err, errPipes):
		return "start a container from the snapshot"
	case errors.Is(err, errNoWriter):
		return "give it a file"
	case errors.Is(err, errSet):
		return "leave it nil"
	case errors.Is(err, errNoEngine):
		return "use Engine.New or Image.Command"
	case errors.Is(err, errNoContainer):
		return "use Container.Exec, or give CommandIn a namespace"
	}
	return ""
}

// firstOf is the first of two errors.
func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
