package v1image

import (
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// ViewIndex is an index of the store, by its digest. Images that it names need not be in the store; those that are not
// are fs.ErrNotExist when they are asked for.
//
// Errors: those of View.
func ViewIndex(s *store.Store, digest v1.Hash) (v1.ImageIndex, error) {
	x, err := viewIndex(s, digest)
	if err != nil {
		return nil, wrap("view", digest.String(), err)
	}
	return x, nil
}

func viewIndex(s *store.Store, digest v1.Hash) (*index, error) {
	raw, err := s.Document(digest)
	if err != nil {
		return nil, err
	}
	mt, err := MediaType(raw)
	if err != nil {
		return nil, err
	}
	m, err := store.DecodeIndex(raw, mt)
	if err != nil {
		return nil, err
	}
	return &index{s, digest, raw, mt, m}, nil
}

// index is a stored index as a v1.ImageIndex.
type index struct {
	s      *store.Store
	digest v1.Hash
	raw    []byte
	mt     types.MediaType
	m      *v1.IndexManifest
}

// MediaType is that of the index.
func (x *index) MediaType() (types.MediaType, error) { return x.mt, nil }

// Digest is that of the index.
func (x *index) Digest() (v1.Hash, error) { return x.digest, nil }

// Size is that of the index.
func (x *index) Size() (int64, error) { return int64(len(x.raw)), nil }

// IndexManifest is the index.
func (x *index) IndexManifest() (*v1.IndexManifest, error) { return x.m.DeepCopy(), nil }

// RawManifest is the index as it is stored.
func (x *index) RawManifest() ([]byte, error) { return slices.Clone(x.raw), nil }

// Image is one of its images.
func (x *index) Image(h v1.Hash) (v1.Image, error) {
	if err := x.has(h); err != nil {
		return nil, err
	}
	return View(x.s, h)
}

// ImageIndex is one of the indexes in it.
func (x *index) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	if err := x.has(h); err != nil {
		return nil, err
	}
	return ViewIndex(x.s, h)
}

func (x *index) has(h v1.Hash) error {
	if slices.ContainsFunc(x.m.Manifests, func(d v1.Descriptor) bool { return d.Digest == h }) {
		return nil
	}
	return &Error{Op: "view", Path: x.digest.String(), Err: fmt.Errorf("%s is not in the index: %w", h, fs.ErrNotExist)}
}
