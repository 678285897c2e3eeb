package v1image

import (
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

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
	doc, err := read(s, digest)
	if err != nil {
		return nil, err
	}
	img := &image{stored: doc}
	if img.m, err = store.DecodeManifest(doc.raw, doc.mt); err != nil {
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
	stored
	m         *v1.Manifest
	rawConfig []byte
	c         *v1.ConfigFile
	layers    []v1.Layer
}

// Layers are the layers, bottom to top.
func (i *image) Layers() ([]v1.Layer, error) { return slices.Clone(i.layers), nil }

// ConfigName is the digest of the configuration.
func (i *image) ConfigName() (v1.Hash, error) { return i.m.Config.Digest, nil }

// ConfigFile is the configuration.
func (i *image) ConfigFile() (*v1.ConfigFile, error) { return i.c.DeepCopy(), nil }

// RawConfigFile is the configuration as it is stored.
func (i *image) RawConfigFile() ([]byte, error) { return slices.Clone(i.rawConfig), nil }

// Manifest is the manifest.
func (i *image) Manifest() (*v1.Manifest, error) { return i.m.DeepCopy(), nil }

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
