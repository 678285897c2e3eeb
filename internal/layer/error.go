package layer

import (
	"errors"
	"fmt"
)

var (
	// ErrName reports an entry name, or the target of a hard link, that names nothing inside a layer: empty, with
	// "..", with a NUL, or with a ".wh." prefix where none belongs.
	ErrName = errors.New("not a name of a layer")

	// ErrType reports a tar entry of a type that layers do not have.
	ErrType = errors.New("entry type not allowed in a layer")

	// ErrOwner reports an owner outside 0..4294967294.
	ErrOwner = errors.New("owner out of range")
)

// Error reports the entry that could not be applied. errors.Is sees through to the errno and to the sentinels of
// this package; errors.As finds a *LimitError.
type Error struct {
	Op   string // "read", "name", "mkdir", "open", "write", "chown", ...
	Path string // the entry's name as the layer has it; "" when it is the stream itself
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the entry and the remedy.
func (e *Error) Error() string {
	msg := "unpack layer: " + e.Op
	if e.Path != "" {
		msg += fmt.Sprintf(" %.300q", e.Path)
	}
	msg += ": " + e.Err.Error()
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// LimitError reports a layer that asks for more than Limits allows.
type LimitError struct {
	What string // "entries", "stream bytes", "file bytes", "path length", ...
	Max  int64
}

// Error names the limit and the remedy.
func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s; if the image is trusted, raise the limit", e.Max, e.What)
}
