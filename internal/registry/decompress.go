package registry

import (
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/caisson-go/caisson/internal/inflate"
)

// compression is how the blob of a layer is packed.
type compression int

const (
	plain compression = iota
	gzipped
	zstandard
)

const (
	// maxWindow bounds the memory of a zstd decoder. RFC 8878 asks for 8 MiB; the strongest levels in use with
	// images take 32.
	maxWindow = 32 << 20

	// A stream may grow this much in any case, and beyond that by this factor. gzip can not exceed 1032, which takes
	// nothing but zeros; programs and text come to 10.
	freeGrowth = 256 << 20
	maxRatio   = 500
)

// compressionOf reads the media type of a layer. The types that must not be distributed are those of others': a
// registry may have them all the same, and nobody else is asked for them.
func compressionOf(mt types.MediaType) (compression, error) {
	switch mt {
	case types.OCIUncompressedLayer, types.OCIUncompressedRestrictedLayer, types.DockerUncompressedLayer:
		return plain, nil
	case types.OCILayer, types.OCIRestrictedLayer, types.DockerLayer, types.DockerForeignLayer:
		return gzipped, nil
	case types.OCILayerZStd, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar.zstd":
		return zstandard, nil
	}
	return plain, fmt.Errorf("%w %.100q of a layer", ErrMediaType, mt)
}

// decompress unpacks a blob, most efficiently into large buffers. Closing what it returns closes the blob. What is wrong
// with the blob is said by Read.
func decompress(c compression, blob io.ReadCloser) (io.ReadCloser, error) {
	in := &counter{r: blob}
	out := &unpacked{in: in, blob: blob}
	switch c {
	case plain:
		out.r = in
	case gzipped:
		out.r = inflate.NewReader(in)
	case zstandard:
		// With a concurrency of 1 decoding happens in Read, which the store has in a goroutine of its own.
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			blob.Close()
			return nil, fmt.Errorf("zstd: %w", err)
		}
		out.r, out.done = z, z.Close
	}
	return out, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// unpacked is a decompressed blob that can not grow without bound.
type unpacked struct {
	r    io.Reader
	in   *counter
	blob io.Closer
	done func()
	n    int64
}

// Read stops when the content has grown out of proportion.
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.n += int64(n)
	if u.n > freeGrowth && u.n/maxRatio > u.in.n {
		return 0, fmt.Errorf("%w: %d bytes of layer from %d", ErrTooLarge, u.n, u.in.n)
	}
	return n, err
}

// Close closes the decoder and the blob.
func (u *unpacked) Close() error {
	if u.done != nil {
		u.done()
	}
	return u.blob.Close()
}
