package store

import (
	"context"
	"errors"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// Use keeps an image, by the digest of its manifest, from being removed: until release is called and every other
// process that has inherited the file is gone, or has closed it. The file is the manifest's blob with a shared flock(2)
// on it, which the open file holds, not the process.
//
// Errors: *Error around fs.ErrNotExist, the errno.
func (s *Store) Use(digest v1.Hash) (release func(), file *os.File, err error) {
	f, err := s.use(digest)
	if err != nil {
		return nil, nil, wrap("use", digest.String(), s.denied(err))
	}
	// No unlocking: that would take the lock from those who have inherited the file.
	return func() { f.Close() }, f, nil
}

func (s *Store) use(digest v1.Hash) (*os.File, error) {
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	ctx, cancel := context.WithTimeout(context.Background(), gcPatience)
	defer cancel()
	release, err := lockShared(ctx, root) // whoever looks for users holds it alone
	if err != nil {
		return nil, err
	}
	defer release()
	f, err := openBlob(root, digest)
	if err != nil {
		return nil, err
	}
	if err := sys.TryShare(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// inUse reports whether somebody uses an image. The caller holds the lock "gc" alone. If it can not be told, somebody
// may. What is not there, or no file, nobody has a lock on.
func inUse(root disk, manifest v1.Hash) bool {
	f, err := openBlob(root, manifest)
	if err != nil {
		return checkHash(manifest) == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid)
	}
	defer f.Close()
	if err := sys.TryLock(f); err != nil {
		return true
	}
	_ = sys.Unlock(f)
	return false
}

// shownInUse is used for those who only want to tell: it takes the lock "gc" for each look.
func (v *view) shownInUse(ctx context.Context, d v1.Descriptor) bool {
	release, err := lockAlone(ctx, v.root)
	if err != nil {
		return false
	}
	defer release()
	return v.used(d)
}

// inUseError names the users.
func inUseError(root disk, manifest v1.Hash) error {
	e := &InUseError{Image: manifest}
	if f, err := openBlob(root, manifest); err == nil {
		e.Pids = lockers(f)
		f.Close()
	}
	return e
}

// LockBlob waits until no other caller, in this or another process, holds the lock for a blob, so that one of them
// fetches it and the others find it. One lock serves 256th of all blobs: whoever holds one must not wait for another.
//
// Errors: *Error around errors.ErrUnsupported (not SHA-256), ctx.Err(), the errno.
func (s *Store) LockBlob(ctx context.Context, h v1.Hash) (release func(), err error) {
	release, err = s.lockBlob(ctx, h)
	return release, wrap("lock", h.String(), err)
}

func (s *Store) lockBlob(ctx context.Context, h v1.Hash) (func(), error) {
	if err := checkHash(h); err != nil {
		return nil, err
	}
	root, err := s.write(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return lock(ctx, root, "blob-"+h.Hex[:2])
}
