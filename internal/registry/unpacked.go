package registry

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// Decompress makes the tar stream of a layer's blob, packed as its media type says. Closing it closes the blob, as does
// an error. A stream that grows out of proportion ends with ErrTooLarge.
//
// Errors: ErrMediaType; those of reading the blob.
func Decompress(mt types.MediaType, blob io.ReadCloser) (io.ReadCloser, error) {
	c, err := compressionOf(mt)
	if err != nil {
		blob.Close()
		return nil, err
	}
	return decompress(c, blob)
}

// DecompressBy is Decompress for a packing that layers do not have, such as bzip2, whose decoder the caller knows. The
// bounds are the same. Closing it closes the blob.
func DecompressBy(decoder func(io.Reader) io.Reader, blob io.ReadCloser) io.ReadCloser {
	in := &counter{r: blob}
	return &unpacked{r: decoder(in), in: in, blob: blob}
}

// UnpackStored unpacks the layers of an image that the store has packed, but for those where that has been done. What
// they grow to is taken from the budget.
//
// Errors: ErrMediaType; ErrTooLarge; those of the store's PutLayer and Blob.
func UnpackStored(ctx context.Context, s *store.Store, m *v1.Manifest, c *v1.ConfigFile, b *Budget, o layer.Options) error {
	for i, d := range m.Layers {
		open := func() (io.ReadCloser, error) {
			blob, err := s.Blob(d.Digest)
			if err != nil {
				return nil, err
			}
			return b.Decompress(d.MediaType, blob)
		}
		if err := s.PutLayer(ctx, c.RootFS.DiffIDs[i], open, o); err != nil {
			return err
		}
	}
	return nil
}

// Packing tells how the blob of a layer is packed: as a tar file, as a gzip stream, or if neither in another way that
// Decompress knows. Errors: ErrMediaType.
func Packing(mt types.MediaType) (isPlain, isGzip bool, err error) {
	c, err := compressionOf(mt)
	return c == plain && err == nil, c == gzipped, err
}

// IsPlain reports a layer that is stored as a tar file. Errors: ErrMediaType.
func IsPlain(mt types.MediaType) (bool, error) {
	isPlain, _, err := Packing(mt)
	return isPlain, err
}
