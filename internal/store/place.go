package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
)

// Users of an image hold a lock on the file of its manifest, and the lock stays with that file. So a file that has its
// name among the blobs is replaced or removed only where that is necessary, and never under a user.

// place gives a staged file, verified and synced, its name among the blobs. A file that is there already and whole is
// kept; one that is not makes way.
//
// Errors: ErrInUse (it is damaged, and in use); those of whole, ctx.Err(), the errno.
func place(ctx context.Context, root disk, staged string, h v1.Hash, whole func(*os.File) (bool, error)) error {
	for {
		placed, err := placeNew(ctx, root, staged, h)
		if err != nil {
			return err
		}
		if placed { // its name is synced before an image's is given: see tag
			return nil
		}
		kept, err := keepWhole(ctx, root, h, whole)
		if kept || err != nil {
			return err
		}
	}
}

// placeNew renames a staged file into place if nothing is there. The lock makes that one step for all who place.
func placeNew(ctx context.Context, root disk, staged string, h v1.Hash) (bool, error) {
	path, err := blobPath(h)
	if err != nil {
		return false, err
	}
	release, err := lock(ctx, root, "place")
	if err != nil {
		return false, err
	}
	defer release()
	if _, err := root.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, root.Rename(staged, path)
}

// keepWhole reports whether the blob that is there is whole, and removes it if it is not.
func keepWhole(ctx context.Context, root disk, h v1.Hash, whole func(*os.File) (bool, error)) (bool, error) {
	f, err := openBlob(root, h)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, fs.ErrInvalid): // not a file
		fi, err := root.Lstat("blobs/sha256/" + h.Hex)
		if err != nil {
			return false, err
		}
		return false, retire(ctx, root, h, fi)
	case err != nil:
		return false, err
	}
	defer f.Close() // not before retire: as long as it is open no other file is taken for it
	if ok, err := whole(f); ok || err != nil {
		return ok, err
	}
	fi, err := f.Stat()
	if err != nil {
		return false, err
	}
	return false, retire(ctx, root, h, fi)
}

// retire removes a damaged blob, unless it was replaced meanwhile. One in use stays.
func retire(ctx context.Context, root disk, h v1.Hash, damaged fs.FileInfo) error {
	release, err := lockAlone(ctx, root)
	if err != nil {
		return err
	}
	defer release()
	path := "blobs/sha256/" + h.Hex
	now, err := root.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, damaged):
		return nil
	case err != nil:
		return err
	case inUse(root, h):
		return &Error{Op: "blob", Path: h.String(), Err: inUseError(root, h), Hint: "it is damaged; end what uses it, and pull the image again"}
	}
	return root.Remove(path)
}

// ofSize tells a whole blob by its size: its content was verified when it came.
func ofSize(size int64) func(*os.File) (bool, error) {
	return func(f *os.File) (bool, error) {
		fi, err := f.Stat()
		return err == nil && fi.Size() == size, err
	}
}

// ofDigest tells a whole blob by its content.
func ofDigest(ctx context.Context, h v1.Hash) func(*os.File) (bool, error) {
	return func(f *os.File) (bool, error) {
		sum := sha256.New()
		_, err := io.Copy(sum, flow.While(ctx, f))
		return err == nil && matches(sum, h), err
	}
}
