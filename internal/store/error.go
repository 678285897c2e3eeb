package store

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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

	// ErrPlatform reports an image that is not there for the platform asked for. It is fs.ErrNotExist too.
	ErrPlatform = errors.New("no image for the platform")

	// ErrInUse reports an image that is not removed because a container uses it. errors.As finds an *InUseError.
	ErrInUse = errors.New("the image is in use")

	// ErrNames reports an image that is not removed by its digest because it has several names.
	ErrNames = errors.New("the image has several names")

	// ErrDocument reports a manifest, index or configuration that is malformed or ambiguous.
	ErrDocument = errors.New("not a valid image document")
)

// Error reports the object of the store that a step failed for. errors.Is sees through to fs.ErrNotExist,
// fs.ErrPermission, the errno and the sentinels of this package.
type Error struct {
	Op   string // "blob", "layer", "tag", "resolve"; "open" if it is the state directory that cannot be used
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

// AmbiguousError reports the beginning of a digest that several digests begin with.
type AmbiguousError struct {
	Ref        string
	Candidates []v1.Hash // of indexes, manifests or configurations, in order
}

// Error lists the first of them.
func (e *AmbiguousError) Error() string {
	shown := make([]string, 0, 5)
	for _, h := range e.Candidates[:min(len(e.Candidates), 4)] {
		shown = append(shown, h.String())
	}
	if more := len(e.Candidates) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d digests begin with it: %s", len(e.Candidates), strings.Join(shown, ", "))
}

// InUseError reports an image that is in use. It is ErrInUse.
type InUseError struct {
	Image v1.Hash // of its manifest
	Pids  []int   // the processes that took it into use, as far as the kernel tells this one; Linux only
}

// Error names them.
func (e *InUseError) Error() string {
	if len(e.Pids) == 0 {
		return fmt.Sprintf("%v: %s", ErrInUse, e.Image)
	}
	return fmt.Sprintf("%v by process %s: %s", ErrInUse, strings.Trim(fmt.Sprint(e.Pids), "[]"), e.Image)
}

// Is makes it ErrInUse.
func (e *InUseError) Is(target error) bool { return target == ErrInUse }

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
