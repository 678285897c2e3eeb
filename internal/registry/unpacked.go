package registry

import (
	"io"

	"github.com/google/go-containerregistry/pkg/v1/types"
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
