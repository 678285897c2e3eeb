package v1image

import (
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

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
	doc, err := read(s, digest)
	if err != nil {
		return nil, err
	}
	m, err := store.DecodeIndex(doc.raw, doc.mt)
	if err != nil {
		return nil, err
	}
	return &index{doc, m}, nil
}

// index is a stored index as a v1.ImageIndex.
type index struct {
	stored
	m *v1.IndexManifest
}

// IndexManifest is the index.
func (x *index) IndexManifest() (*v1.IndexManifest, error) { return x.m.DeepCopy(), nil }

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
