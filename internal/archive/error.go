package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/caisson-go/caisson/internal/store"
)

var (
	// ErrFormat reports a stream or directory that holds no images in a form that this package reads.
	ErrFormat = errors.New("not an archive of images")

	// ErrEntry reports an entry that no archive of images has: a device, a name with "..", the same name twice.
	ErrEntry = errors.New("entry not allowed in an archive of images")

	// ErrMissing reports content that a document refers to and that is not there. It is fs.ErrNotExist too.
	ErrMissing = fmt.Errorf("content that is referred to is missing: %w", fs.ErrNotExist)

	// ErrTooLarge reports an archive beyond its limits.
	ErrTooLarge = store.ErrTooLarge

	// ErrCompression reports a compression that this package does not read. It is errors.ErrUnsupported too.
	ErrCompression = fmt.Errorf("compression not read here: %w", errors.ErrUnsupported)

	errUnsupportedDigest = fmt.Errorf("not a SHA-256 digest: %w", errors.ErrUnsupported)
)

// Error reports what could not be saved or loaded. errors.Is sees through to the sentinels of this package and of
// packages store and layer, to ctx.Err() and the errno.
type Error struct {
	Op   string // "save", "load", "import", "export"
	Path string // the archive's entry, the image or the blob; "" when it is the stream itself
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the operation, the object and the remedy.
func (e *Error) Error() string {
	msg := e.Op
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

// fail makes an *Error, whose operation is added on the way out, unless it is one already.
func fail(path string, err error, hint string) error {
	if err == nil {
		return nil
	}
	if known, ok := err.(*Error); ok {
		if known.Path == "" {
			known.Path = path
		}
		return known
	}
	return &Error{Path: path, Err: err, Hint: hint}
}

// finish gives an error its operation, and makes an *Error of one that is none. After the end of the context it says so:
// what is cut off has other things to say.
func finish(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = errors.Join(ended, err)
	}
	e, ok := err.(*Error)
	if !ok {
		e = &Error{Err: err}
	}
	if e.Op = op; e.Hint == "" && errors.Is(err, ErrTooLarge) {
		e.Hint = "if the archive is trusted, raise the limits"
	}
	return e
}
