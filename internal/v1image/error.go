package v1image

import (
	"errors"
	"fmt"
)

// ErrChanged reports a v1.Image that says one thing of itself here and another there: layers that are not those of its
// manifest, for instance.
var ErrChanged = errors.New("the image contradicts itself")

// Error reports the part of an image that could not be read or imported. errors.Is sees through to fs.ErrNotExist, the
// sentinels of this package and of packages store, registry and layer, to ctx.Err() and the errno.
type Error struct {
	Op   string // "view", "import"
	Path string // the reference, or the digest of the part
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the object and the remedy.
func (e *Error) Error() string {
	msg := fmt.Sprintf("%s %.300q: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes an *Error of an error that is none.
func wrap(op, path string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}
