package changes

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrChanged reports a file that was changed, or exchanged for another one, while it was read.
	ErrChanged = errors.New("it changed while it was read")

	// ErrRedirect reports a directory that overlayfs shows under another name than the layers below have it
	// (the attribute overlay.redirect), which no layer of an image can say.
	ErrRedirect = errors.New("overlayfs has renamed the directory in place")

	// ErrMetacopy reports a file of which the writable layer has the owner and mode but not the content (the
	// attribute overlay.metacopy).
	ErrMetacopy = errors.New("overlayfs has copied up the file without its content")
)

// Error reports the file that could not be read. errors.Is sees through to the errno and to the sentinels of this
// package; errors.As finds a *LimitError.
type Error struct {
	Op   string // "open", "stat", "read", "readlink", "getxattr", "chown", "write", "clone", ...
	Path string // absolute, inside the container
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the file and the remedy.
func (e *Error) Error() string {
	msg := fmt.Sprintf("changes: %s %.300q: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// LimitError reports a tree that asks for more than Limits allows.
type LimitError struct {
	What string // "bytes in a path", "file bytes", ...
	Max  int64
}

// Error names the limit and the remedy.
func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s; remove the file in the container, or raise the limit", e.Max, e.What)
}

// fail wraps an error with the step and the file, unless it is nil or has both.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	if path == "" {
		path = "/"
	}
	e = &Error{Op: op, Path: path, Err: err}
	switch {
	case errors.Is(err, ErrChanged):
		e.Hint = "pause the container"
	case errors.Is(err, ErrRedirect):
		e.Hint = "mount the overlay with redirect_dir=off"
	case errors.Is(err, ErrMetacopy):
		e.Hint = "mount the overlay with metacopy=off"
	case errors.Is(err, syscall.EXDEV):
		e.Hint = "a filesystem is mounted on it on the host, under which the container sees; unmount it"
	}
	return e
}
