package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// contents is what an archive, or the store, has: blobs, by digest.
type contents interface {
	// present checks that a blob is there with the size that its descriptor says. Errors: *Error around ErrMissing,
	// store.ErrSize.
	present(d v1.Descriptor) error
	// Open opens a blob. What it reads may not have the digest, as the archive may be a directory of somebody else's.
	Open(h v1.Hash) (io.ReadCloser, error)
	// keep makes a blob, verified, one of the store's.
	keep(ctx context.Context, d v1.Descriptor) error
}

// staged is the content of a tar file.
type staged struct{ *store.Intake }

func (s staged) present(d v1.Descriptor) error {
	n, ok := s.Size(d.Digest)
	return sized(d, n, ok)
}

func (s staged) keep(ctx context.Context, d v1.Descriptor) error { return s.Publish(ctx, d.Digest) }

// sized compares what is there with a descriptor.
func sized(d v1.Descriptor, n int64, ok bool) error {
	switch {
	case d.Digest.Algorithm != "sha256":
		return fail(d.Digest.String(), errUnsupportedDigest, "use an image with SHA-256 digests")
	case !ok:
		return fail(d.Digest.String(), ErrMissing, "save the image again")
	case n != d.Size:
		return fail(d.Digest.String(), fmt.Errorf("%w: %d instead of %d", store.ErrSize, n, d.Size), "")
	}
	return nil
}

// document reads a small blob and verifies it.
func document(c contents, d v1.Descriptor) ([]byte, error) {
	if err := c.present(d); err != nil {
		return nil, err
	}
	if d.Size > store.MaxDocument {
		return nil, fail(d.Digest.String(), fmt.Errorf("%w: a document of %d bytes", ErrTooLarge, d.Size), "")
	}
	rc, err := c.Open(d.Digest)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, d.Size+1))
	switch {
	case err != nil:
	case int64(len(b)) != d.Size:
		err = store.ErrSize
	case digestOf(b) != d.Digest:
		err = store.ErrDigest
	}
	return b, fail(d.Digest.String(), err, "")
}

// made is content with the documents that this package makes in addition.
type made struct {
	contents
	docs map[v1.Hash][]byte
	s    *store.Store
}

// add adds a document.
func (m *made) add(b []byte) (v1.Hash, int64) {
	h := digestOf(b)
	m.docs[h] = b
	return h, int64(len(b))
}

func (m *made) present(d v1.Descriptor) error {
	if b, ok := m.docs[d.Digest]; ok {
		return sized(d, int64(len(b)), true)
	}
	return m.contents.present(d)
}

// Open looks among the documents first.
func (m *made) Open(h v1.Hash) (io.ReadCloser, error) {
	if b, ok := m.docs[h]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return m.contents.Open(h)
}

func (m *made) keep(ctx context.Context, d v1.Descriptor) error {
	if b, ok := m.docs[d.Digest]; ok {
		return m.s.PutBlob(ctx, d.Digest, d.Size, bytes.NewReader(b))
	}
	return m.contents.keep(ctx, d)
}
