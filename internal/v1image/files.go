package v1image

import (
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/imagefs"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// FS is the file system of an image of the store, by the digest of its manifest. Nil options are the defaults. The
// layers are read when files are, so the image must stay in the store meanwhile.
//
// Errors: those of View; registry.ErrMediaType; ErrChanged.
func FS(s *store.Store, digest v1.Hash, o *imagefs.Options) (*imagefs.FS, error) {
	img, err := view(s, digest)
	if err != nil {
		return nil, wrap("view", digest.String(), err)
	}
	var layers []imagefs.Layer
	for i, d := range img.m.Layers {
		l, err := fileLayer(s, d, img.c.RootFS.DiffIDs[i])
		if err != nil {
			return nil, &Error{Op: "view", Path: d.Digest.String(), Err: err}
		}
		layers = append(layers, l)
	}
	return imagefs.New(layers, o), nil
}

func fileLayer(s *store.Store, d v1.Descriptor, diffID v1.Hash) (imagefs.Layer, error) {
	plain, gzip, err := registry.Packing(d.MediaType)
	if err != nil {
		return imagefs.Layer{}, err
	}
	l := imagefs.Layer{Name: d.Digest.String(), DiffID: diffID, Open: func() (imagefs.Blob, error) { return openBlob(s, d.Digest) }}
	switch {
	case plain && d.Digest != diffID: // the blob is the tar stream, so it has two digests
		return l, fmt.Errorf("%w: diff id %s of a layer that is not compressed", ErrChanged, diffID)
	case gzip:
		l.Gzip = true
	case !plain:
		l.Decompress = func(blob io.ReadCloser) (io.ReadCloser, error) { return registry.Decompress(d.MediaType, blob) }
	}
	return l, nil
}

// openBlob opens a blob for reading anywhere in it.
func openBlob(s *store.Store, h v1.Hash) (imagefs.Blob, error) {
	rc, err := s.Blob(h)
	if err != nil {
		return nil, err
	}
	if b, ok := rc.(imagefs.Blob); ok {
		return b, nil
	}
	rc.Close()
	return nil, errors.ErrUnsupported // the store's blobs are files
}
