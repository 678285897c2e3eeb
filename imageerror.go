package caisson

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/archive"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/statedir"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/v1image"
)

// imageError is the public form of an error about an image, a name or the state directory: the step and the object are
// the caller's, the cause is without the words that the packages below have put around it, the remedy is theirs.
func imageError(op, object string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	e := &Error{Op: op, Path: cmp.Or(object, "image")}
	e.Hint, e.Err = imageCause(err)
	if e.Hint == "" && e.Err == (notStored{}) {
		e.Hint = "Engine.Images lists what there is"
	}
	if errors.Is(err, store.ErrInUse) {
		var user *store.InUseError
		if errors.As(err, &user) {
			e.Err = user
		}
		e.Err, e.Hint = inUse{e.Err}, "close its containers and remove its snapshots first"
	}
	return e
}

// archiveError is imageError for an archive, of which an entry may be the object.
func archiveError(op string, err error) error {
	object := "archive"
	var a *archive.Error
	if errors.As(err, &a) && a.Path != "" {
		object = a.Path
	}
	return imageError(op, object, err)
}

// pullError is imageError for a pull, whose object is the full form of the reference.
func pullError(ref string, err error) error {
	var r *registry.Error
	if errors.As(err, &r) {
		ref = r.Ref
	}
	return imageError("pull", ref, err)
}

// imageCause is what an error of the packages below is about, and their remedy. That a context has ended is not lost.
func imageCause(err error) (hint string, cause error) {
	for {
		h, inner := inside(err)
		if inner == nil || ended(err) && !ended(inner) {
			return hint, err
		}
		if hint == "" {
			hint = h
		}
		err = inner
	}
}

// inside is what an error of one of the packages below is about, or nil.
func inside(err error) (hint string, inner error) {
	var a *archive.Error
	var v *v1image.Error
	var r *registry.Error
	var s *store.Error
	switch {
	case errors.As(err, &a):
		return a.Hint, a.Err
	case errors.As(err, &v):
		return v.Hint, v.Err
	case errors.As(err, &r):
		return r.Hint, r.Err
	case errors.As(err, &s):
		return storeCause(s)
	}
	return "", nil
}

// storeCause is why the store does not do a thing: that its directory cannot be used, which is named then, or that it has
// nothing of the name, or, with a remedy of the store's own, what is wrong.
func storeCause(e *store.Error) (hint string, cause error) {
	switch {
	case e.Op == "open": // the directory, and nothing in it
		return e.Hint, &fs.PathError{Op: "open", Path: e.Path, Err: e.Err}
	case e.Hint == "" && errors.Is(e, fs.ErrNotExist) && !ended(e):
		return "", notStored{}
	case e.Hint == "" && (errors.Is(e, fs.ErrPermission) || errors.Is(e, syscall.EROFS)):
		if filepath.IsAbs(e.Path) { // the directory; else it is the object
			return statedir.HintWritable, &fs.PathError{Op: "open", Path: e.Path, Err: e.Err}
		}
		return statedir.HintWritable, e.Err
	}
	return e.Hint, e.Err
}

// notStored is fs.ErrNotExist, said of an image.
type notStored struct{}

func (notStored) Error() string        { return "not in the store" }
func (notStored) Is(target error) bool { return target == fs.ErrNotExist }

// ended reports the error of a context that is done.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// checkDone is the error of a call whose context is done before it has begun.
func checkDone(ctx context.Context, op, object string) error {
	if err := ctx.Err(); err != nil {
		return &Error{op, object, err, ""}
	}
	return nil
}

// checkOwnForm refuses, where an image of the store or a registry is wanted, what Engine.Image takes for another: this
// machine, a directory or a snapshot.
func checkOwnForm(op, ref string) error {
	_, dir := directory(ref)
	hint := ""
	switch {
	case ref == hostImage:
		hint = "Engine.Host is this machine; an image of that name is " + ref + ":latest"
	case dir:
		hint = "Engine.RootFS is for directories; Container.Commit makes an image of one"
	case strings.HasPrefix(ref, snapshotImage):
		hint = "Engine.Snapshot finds a snapshot; Container.Commit makes an image of one, Snapshot.Remove removes it"
	default:
		return nil
	}
	return &Error{op, ref, errNotStored, hint}
}
