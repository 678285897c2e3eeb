package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is how a tar stream is compressed.
type packing int

const (
	plain packing = iota
	gzipped
	zstandard
	bzipped
	unknownPacking
)

const (
	// maxWindow bounds the memory of a zstd decoder, as pulling does.
	maxWindow = 32 << 20

	// A stream may grow this much in any case, and beyond that by this factor: gzip can not exceed 1032.
	freeGrowth = 1 << 30
	maxRatio   = 1100
)

// packingOf reads the media type of a layer; ok is false for what is no layer.
func packingOf(mt types.MediaType) (p packing, ok bool) {
	switch mt {
	case types.OCIUncompressedLayer, types.OCIUncompressedRestrictedLayer, types.DockerUncompressedLayer:
		return plain, true
	case types.OCILayer, types.OCIRestrictedLayer, types.DockerLayer, types.DockerForeignLayer:
		return gzipped, true
	case types.OCILayerZStd, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar.zstd":
		return zstandard, true
	}
	return plain, false
}

// mediaType is packingOf the other way round, for layers that come without one.
func (p packing) mediaType() types.MediaType {
	switch p {
	case gzipped:
		return types.OCILayer
	case zstandard:
		return types.OCILayerZStd
	}
	return types.OCIUncompressedLayer
}

// sniff recognises the packing by the first bytes.
func sniff(head []byte) (packing, error) {
	for _, magic := range []struct {
		p     packing
		bytes string
		name  string
	}{
		{gzipped, "\x1f\x8b", "gzip"},
		{zstandard, "\x28\xb5\x2f\xfd", "zstd"},
		{bzipped, "BZh", "bzip2"},
		{unknownPacking, "\xfd7zXZ\x00", "xz"},
		{unknownPacking, "\x04\x22\x4d\x18", "lz4"},
	} {
		if bytes.HasPrefix(head, []byte(magic.bytes)) {
			if magic.p == unknownPacking {
				return magic.p, fail("", fmt.Errorf("%s: %w", magic.name, ErrCompression), "unpack it first with "+magic.name+" -d, or pack it with gzip or zstd")
			}
			return magic.p, nil
		}
	}
	return plain, nil
}

// unpacked is a decompressed stream that can not grow out of proportion to its source.
type unpacked struct {
	r    io.Reader
	in   *counter
	done func()
	n    int64
}

// unpack decompresses r. The caller calls close on the result; that does not close r.
func unpack(p packing, r io.Reader) (*unpacked, error) {
	in := &counter{r: r}
	u := &unpacked{in: in, r: in}
	switch p {
	case gzipped:
		z, err := gzip.NewReader(bufio.NewReaderSize(in, 64<<10))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		u.r = z
	case zstandard:
		// One goroutine less to leak: with a concurrency of 1 decoding happens in Read.
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		u.r, u.done = z, z.Close
	case bzipped:
		u.r = bzip2.NewReader(bufio.NewReaderSize(in, 64<<10))
	}
	return u, nil
}

// unpackAny decompresses r by its first bytes.
func unpackAny(r io.Reader) (*unpacked, packing, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, plain, err
	}
	p, err := sniff(head)
	if err != nil {
		return nil, p, err
	}
	u, err := unpack(p, b)
	return u, p, err
}

// Read stops when the content has grown out of proportion.
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.n += int64(n)
	if u.n > freeGrowth && u.n/maxRatio > u.in.n {
		return 0, fmt.Errorf("%w: %d bytes from %d", ErrTooLarge, u.n, u.in.n)
	}
	return n, err
}

// close gives the decoder back.
func (u *unpacked) close() {
	if u.done != nil {
		u.done()
	}
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
