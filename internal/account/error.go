package account

import (
	"errors"
	"fmt"
	"io/fs"
)

// UserError reports a user or group that can not be, or that the image does not have. It is for who names the input
// and the remedy: its text is the reason alone.
type UserError struct {
	Input  string // as given
	File   string // the file that was searched; "" if the input alone is wrong
	Reason string
	Remedy string
	Err    error // fs.ErrNotExist for an unknown name, else nil
}

// Error is the reason.
func (e *UserError) Error() string { return e.Reason }

// Unwrap returns Err.
func (e *UserError) Unwrap() error { return e.Err }

// FileError reports a passwd or group file that can not be read, or a line of it that the answer depends on and that
// is not of the format.
type FileError struct {
	File   string // "/etc/passwd" or "/etc/group"
	Line   int    // from 1; 0 if it is about the whole file
	Reason string // "" if Err says it
	Err    error  // from inroot.ReadFile, or nil
}

// Error names the file, the line and the reason.
func (e *FileError) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Err != nil {
		return fmt.Sprintf("%s of the image: %v", at, e.Err)
	}
	return fmt.Sprintf("%s of the image: %s", at, e.Reason)
}

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// short cuts what is repeated in a message.
func short(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
