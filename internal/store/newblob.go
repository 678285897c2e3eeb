package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
)

// PutNewBlob stores what r yields, read to its end, and returns the digest and size that it turns out to have: content
// that is made here and now, such as the layer of a commit. Content that is there already is kept.
//
// Errors: *Error around the error of r, ctx.Err(), the errno.
func (s *Store) PutNewBlob(ctx context.Context, r io.Reader) (v1.Hash, int64, error) {
	h, n, err := s.putNewBlob(ctx, r)
	if err != nil {
		return v1.Hash{}, 0, wrap("blob", "of a digest not known yet", err)
	}
	return h, n, nil
}

func (s *Store) putNewBlob(ctx context.Context, r io.Reader) (v1.Hash, int64, error) {
	root, err := s.write(ctx)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	defer root.Close()
	st, err := newStage(ctx, root)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	defer st.discard()
	staged := st.path + "/blob"
	h, n, err := writeHashed(root, staged, flow.While(ctx, r))
	if err != nil {
		return v1.Hash{}, 0, err
	}
	// On the list before anybody looks whether it is there, or it could be collected between.
	if err := s.note(ctx, h); err != nil {
		return v1.Hash{}, 0, err
	}
	path, err := blobPath(h)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	if fi, err := root.Lstat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == n {
		return h, n, nil
	}
	return h, n, place(ctx, root, staged, h, ofSize(n))
}

// writeHashed writes what r yields to a new file, for good, and returns its digest and size.
func writeHashed(root disk, name string, r io.Reader) (v1.Hash, int64, error) {
	f, err := root.Create(name)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	sum := sha256.New()
	buf := make([]byte, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, sum)}, r, buf)
	if err == nil {
		err = f.Sync()
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, n, errors.Join(err, f.Close())
}
