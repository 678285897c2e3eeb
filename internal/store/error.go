package store

import (
	"errors"
	"fmt"
)

var (
	// ErrDigest reports content that is not what its digest says.
	ErrDigest = errors.New("content does not match its digest")

	// ErrSize reports content that is longer or shorter than its descriptor says.
	ErrSize = errors.New("content does not have the size of its descriptor")

	// ErrTooLarge reports content that is not even looked at, for its size.
	ErrTooLarge = errors.New("larger than allowed")

	// ErrIncomplete reports an image of which a layer is not unpacked. Such an image is also fs.ErrNotExist:
	// it has to be pulled.
	ErrIncomplete = errors.New("a layer is not unpacked")

	// ErrLayerOptions reports a layer that was unpacked in another way than is asked for now.
	ErrLayerOptions = errors.New("the layer was unpacked with other options")

	// ErrName reports a name that an image can not have.
	ErrName = errors.New("not a name for an image")

	// ErrDocument reports a manifest, index or configuration that is malformed or ambiguous.
	ErrDocument = errors.New("not a valid image document")
)

// Error reports the object of the store that a step failed for. errors.Is sees through to fs.ErrNotExist,
// fs.ErrPermission, the errno and the sentinels of this package.
type Error struct {
	Op   string // "open", "blob", "layer", "tag", "resolve"
	Path string // the digest, reference or directory
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the object and the remedy.
func (e *Error) Error() string {
	msg := fmt.Sprintf("store: %s %.300q: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes an *Error of an error that is none.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}
