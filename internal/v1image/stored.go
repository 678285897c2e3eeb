package v1image

import (
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// stored is a manifest or index as the store has it.
type stored struct {
	s      *store.Store
	digest v1.Hash
	raw    []byte
	mt     types.MediaType
}

// read reads and verifies it.
func read(s *store.Store, digest v1.Hash) (stored, error) {
	raw, err := s.Document(digest)
	if err != nil {
		return stored{}, err
	}
	mt, err := MediaType(raw)
	return stored{s, digest, raw, mt}, err
}

// MediaType is what the document says, or else the OCI type of its kind.
func (d *stored) MediaType() (types.MediaType, error) { return d.mt, nil }

// Digest is that of the document.
func (d *stored) Digest() (v1.Hash, error) { return d.digest, nil }

// Size is that of the document, in bytes.
func (d *stored) Size() (int64, error) { return int64(len(d.raw)), nil }

// RawManifest is the document, byte for byte.
func (d *stored) RawManifest() ([]byte, error) { return slices.Clone(d.raw), nil }
