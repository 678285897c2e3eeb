package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
)

// PutBlob stores what r yields under its digest. Content of another digest or size is refused, and no more than size+1
// bytes are read. A blob that is there already is kept, and r is not read.
//
// Errors: *Error around ErrDigest, ErrSize, errors.ErrUnsupported (not SHA-256), the error of r, ctx.Err(), the errno.
func (s *Store) PutBlob(ctx context.Context, want v1.Hash, size int64, r io.Reader) error {
	return wrap("blob", want.String(), s.putBlob(ctx, want, size, r))
}

func (s *Store) putBlob(ctx context.Context, want v1.Hash, size int64, r io.Reader) error {
	_, err := s.addBlob(ctx, want, size, func(root disk, staged string) error {
		return writeVerified(root, staged, want, size, io.LimitReader(flow.While(ctx, r), size+1), func(error) {})
	})
	return err
}

// addBlob has write make the file of a blob in a stage, and publishes it. Nothing is written if the blob is there.
func (s *Store) addBlob(ctx context.Context, want v1.Hash, size int64, write func(root disk, staged string) error) (there bool, err error) {
	path, err := blobPath(want)
	if err != nil {
		return false, err
	}
	if size < 0 {
		return false, ErrSize
	}
	root, err := s.write(ctx)
	if err != nil {
		return false, err
	}
	defer root.Close()
	if err := s.note(ctx, want); err != nil {
		return false, err
	}
	if fi, err := root.Lstat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == size {
		return true, nil
	}
	st, err := newStage(ctx, root)
	if err != nil {
		return false, err
	}
	defer st.discard()
	staged := st.path + "/blob"
	if err := write(root, staged); err != nil {
		return false, err
	}
	return false, place(ctx, root, staged, want, ofSize(size))
}

// writeVerified writes what r yields to a new file, and fails unless it has the digest and size. known is called once,
// with the error, as soon as that is known: before the file is on the disk for good.
func writeVerified(root disk, name string, want v1.Hash, size int64, r io.Reader, known func(error)) error {
	f, err := root.Create(name)
	if err != nil {
		known(err)
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), r)
	switch {
	case err != nil:
	case n != size:
		err = ErrSize
	case !matches(sum, want):
		err = ErrDigest
	}
	if known(err); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// HasBlob reports whether a blob of that size is there.
func (s *Store) HasBlob(h v1.Hash, size int64) bool {
	path, err := blobPath(h)
	if err != nil {
		return false
	}
	root, err := s.read()
	if err != nil {
		return false
	}
	defer root.Close()
	ctx, cancel := context.WithTimeout(context.Background(), gcPatience)
	defer cancel()
	if s.note(ctx, h) != nil {
		return false // it could go at any moment
	}
	fi, err := root.Lstat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Size() == size
}

// Blob opens a blob. Its content was verified when it was stored; CheckBlob does so again.
// Errors: *Error around fs.ErrNotExist, errors.ErrUnsupported (not SHA-256), the errno.
func (s *Store) Blob(h v1.Hash) (io.ReadCloser, error) {
	f, err := s.openBlob(h)
	if err != nil {
		return nil, wrap("blob", h.String(), err)
	}
	return f, nil
}

func (s *Store) openBlob(h v1.Hash) (*os.File, error) {
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openBlob(root, h)
}

func openBlob(root disk, h v1.Hash) (*os.File, error) {
	path, err := blobPath(h)
	if err != nil {
		return nil, err
	}
	if fi, err := root.Lstat(path); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, fs.ErrInvalid
	}
	return root.Open(path)
}

// CheckBlob reads a blob again. One that does not match its digest any more is removed, so that it can be fetched anew,
// and ErrDigest returned. If it is in use it stays, and the error is ErrInUse too.
func (s *Store) CheckBlob(ctx context.Context, h v1.Hash) error {
	whole, err := s.checkBlob(ctx, h)
	if whole || err != nil && !errors.Is(err, ErrInUse) {
		return wrap("check", h.String(), err)
	}
	return &Error{Op: "check", Path: h.String(), Err: errors.Join(ErrDigest, err), Hint: "pull the image again"}
}

// checkBlob reports whether a blob is whole, and removes it if it is not.
func (s *Store) checkBlob(ctx context.Context, h v1.Hash) (bool, error) {
	f, err := s.openBlob(h)
	if err != nil {
		return false, err
	}
	defer f.Close() // see keepWhole
	if whole, err := ofDigest(ctx, h)(f); whole || err != nil {
		return whole, err
	}
	fi, err := f.Stat()
	if err != nil {
		return false, err
	}
	root, err := s.update(ctx)
	if err != nil {
		return false, err
	}
	defer root.Close()
	return false, retire(ctx, root, h, fi)
}

// readBlob reads a document and verifies it.
func readBlob(root disk, h v1.Hash) ([]byte, error) {
	f, err := openBlob(root, h)
	if err != nil {
		return nil, wrap("blob", h.String(), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxDocument+1))
	sum := sha256.New()
	sum.Write(b)
	switch {
	case err != nil:
	case len(b) > MaxDocument:
		err = ErrSize
	case !matches(sum, h):
		err = ErrDigest
	}
	return b, wrap("blob", h.String(), err)
}

// blobPath is the only way from a digest to a path: the digest must be SHA-256 in lower case.
func blobPath(h v1.Hash) (string, error) {
	if err := checkHash(h); err != nil {
		return "", err
	}
	return "blobs/sha256/" + h.Hex, nil
}

func checkHash(h v1.Hash) error {
	if h.Algorithm != "sha256" {
		return &Error{Op: "digest", Path: h.String(), Err: errors.ErrUnsupported, Hint: "use an image with SHA-256 digests"}
	}
	if _, err := v1.NewHash(h.String()); err != nil {
		return &Error{Op: "digest", Path: h.String(), Err: ErrDigest}
	}
	return nil
}

func matches(sum hash.Hash, want v1.Hash) bool { return hex.EncodeToString(sum.Sum(nil)) == want.Hex }
