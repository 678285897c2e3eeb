package v1image

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

const (
	// maxIndexes bounds the indexes within one another.
	maxIndexes = 3

	// maxManifests bounds the images of an index with those of the indexes in it.
	maxManifests = 1000
)

// ImportIndex puts an index with all its images into the store under a name, and returns its digest. Layers of images
// for Linux on this machine's architecture are unpacked; the others are kept packed.
//
// Errors: those of Import.
func ImportIndex(ctx context.Context, s *store.Store, x v1.ImageIndex, ref string, o *layer.Options) (v1.Hash, error) {
	left := maxManifests
	desc, err := importNamed(ctx, s, ref, o, func(in *importer) (v1.Descriptor, error) {
		return in.index(ctx, x, maxIndexes, &left)
	})
	return desc.Digest, err
}

func (in *importer) index(ctx context.Context, x v1.ImageIndex, depth int, left *int) (v1.Descriptor, error) {
	if x == nil {
		return v1.Descriptor{}, fs.ErrInvalid
	}
	desc, raw, err := described(x)
	if err != nil {
		return desc, fmt.Errorf("index: %w", err)
	}
	m, err := store.DecodeIndex(raw, desc.MediaType)
	if err != nil {
		return desc, fmt.Errorf("index: %w", err)
	}
	if depth == 0 {
		return desc, fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes)
	}
	if *left -= len(m.Manifests); *left < 0 {
		return desc, fmt.Errorf("%w: more than %d manifests", store.ErrDocument, maxManifests)
	}
	for _, want := range m.Manifests {
		got, err := in.member(ctx, x, want, depth, left)
		if err == nil && (got.Digest != want.Digest || got.Size != want.Size || got.MediaType != want.MediaType) {
			err = ErrChanged
		}
		if err != nil {
			return desc, fmt.Errorf("%s: %w", want.Digest, err)
		}
	}
	return desc, in.put(ctx, desc.Digest, desc.Size, raw)
}

// member stores what an index names.
func (in *importer) member(ctx context.Context, x v1.ImageIndex, d v1.Descriptor, depth int, left *int) (v1.Descriptor, error) {
	switch {
	case d.MediaType.IsIndex():
		inner, err := x.ImageIndex(d.Digest)
		if err != nil {
			return v1.Descriptor{}, err
		}
		return in.index(ctx, inner, depth-1, left)
	case d.MediaType.IsImage():
		img, err := x.Image(d.Digest)
		if err != nil {
			return v1.Descriptor{}, err
		}
		return in.image(ctx, img, store.RunsHere(d.Platform))
	}
	return v1.Descriptor{}, fmt.Errorf("%w %.100q", registry.ErrMediaType, d.MediaType)
}

// describable is what a v1.Image and a v1.ImageIndex say of themselves.
type describable interface {
	MediaType() (types.MediaType, error)
	Digest() (v1.Hash, error)
	RawManifest() ([]byte, error)
}

// described reads the manifest or index itself, and makes its descriptor of what it has.
func described(d describable) (v1.Descriptor, []byte, error) {
	raw, err := bound(d.RawManifest())
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	mt, err := d.MediaType()
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	says, err := d.Digest()
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	is, size, err := v1.SHA256(bytes.NewReader(raw))
	if err == nil && is != says {
		err = store.ErrDigest
	}
	return v1.Descriptor{MediaType: mt, Digest: is, Size: size}, raw, err
}
