package v1image

import (
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// View is an image of the store, by the digest of its manifest. The manifest and the configuration are read now and
// verified; the layers when they are asked for, so the image must stay in the store meanwhile. Layers that are not in
// the store as blobs are fs.ErrNotExist when they are read.
//
// Errors: *Error around fs.ErrNotExist, store.ErrDigest, store.ErrDocument, the errno.
func View(s *store.Store, digest v1.Hash) (v1.Image, error) {
	img, err := view(s, digest)
	if err != nil {
		return nil, wrap("view", digest.String(), err)
	}
	return img, nil
}

func view(s *store.Store, digest v1.Hash) (*image, error) {
	raw, err := s.Document(digest)
	if err != nil {
		return nil, err
	}
	mt, err := MediaType(raw)
	if err != nil {
		return nil, err
	}
	img := &image{s: s, digest: digest, raw: raw, mt: mt}
	if img.m, err = store.DecodeManifest(raw, mt); err != nil {
		return nil, err
	}
	if img.rawConfig, err = s.Document(img.m.Config.Digest); err != nil {
		return nil, err
	}
	if img.c, err = store.DecodeConfig(img.rawConfig, len(img.m.Layers)); err != nil {
		return nil, err
	}
	for i, d := range img.m.Layers {
		img.layers = append(img.layers, &storedLayer{s, d, img.c.RootFS.DiffIDs[i]})
	}
	return img, nil
}

// image is a stored image as a v1.Image.
type image struct {
	s              *store.Store
	digest         v1.Hash
	raw, rawConfig []byte
	mt             types.MediaType
	m              *v1.Manifest
	c              *v1.ConfigFile
	layers         []v1.Layer
}

// Layers are the layers, bottom to top.
func (i *image) Layers() ([]v1.Layer, error) { return slices.Clone(i.layers), nil }

// MediaType is that of the manifest.
func (i *image) MediaType() (types.MediaType, error) { return i.mt, nil }

// Size is that of the manifest.
func (i *image) Size() (int64, error) { return int64(len(i.raw)), nil }

// ConfigName is the digest of the configuration.
func (i *image) ConfigName() (v1.Hash, error) { return i.m.Config.Digest, nil }

// ConfigFile is the configuration.
func (i *image) ConfigFile() (*v1.ConfigFile, error) { return i.c.DeepCopy(), nil }

// RawConfigFile is the configuration as it is stored.
func (i *image) RawConfigFile() ([]byte, error) { return slices.Clone(i.rawConfig), nil }

// Digest is that of the manifest.
func (i *image) Digest() (v1.Hash, error) { return i.digest, nil }

// Manifest is the manifest.
func (i *image) Manifest() (*v1.Manifest, error) { return i.m.DeepCopy(), nil }

// RawManifest is the manifest as it is stored.
func (i *image) RawManifest() ([]byte, error) { return slices.Clone(i.raw), nil }

// LayerByDigest finds a layer, or the configuration as one.
func (i *image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	if h == i.m.Config.Digest {
		return partial.ConfigLayer(i)
	}
	for k, d := range i.m.Layers {
		if d.Digest == h {
			return i.layers[k], nil
		}
	}
	return nil, i.none("layer", h)
}

// LayerByDiffID finds a layer by the digest of its tar stream.
func (i *image) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	for k, d := range i.c.RootFS.DiffIDs {
		if d == h {
			return i.layers[k], nil
		}
	}
	return nil, i.none("diff id", h)
}

func (i *image) none(what string, h v1.Hash) error {
	return &Error{Op: "view", Path: i.digest.String(), Err: fmt.Errorf("%s %s: %w", what, h, fs.ErrNotExist)}
}
