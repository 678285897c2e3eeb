package v1image

import (
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// storedLayer is a layer of the store as a v1.Layer.
type storedLayer struct {
	s      *store.Store
	desc   v1.Descriptor
	diffID v1.Hash
}

// Digest is that of the blob.
func (l *storedLayer) Digest() (v1.Hash, error) { return l.desc.Digest, nil }

// DiffID is the digest of the tar stream.
func (l *storedLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size is that of the blob.
func (l *storedLayer) Size() (int64, error) { return l.desc.Size, nil }

// MediaType is what the manifest says.
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }

// Descriptor is what the manifest has for the layer; libraries keep its annotations and URLs by it.
func (l *storedLayer) Descriptor() (*v1.Descriptor, error) { return l.desc.DeepCopy(), nil }

// Compressed opens the blob.
func (l *storedLayer) Compressed() (io.ReadCloser, error) {
	rc, err := l.s.Blob(l.desc.Digest)
	return rc, wrap("view", l.desc.Digest.String(), err)
}

// Uncompressed opens the tar stream.
func (l *storedLayer) Uncompressed() (io.ReadCloser, error) {
	blob, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	rc, err := registry.Decompress(l.desc.MediaType, blob)
	return rc, wrap("view", l.desc.Digest.String(), err)
}
