package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/registry"
)

// packing is how a tar stream is compressed.
type packing int

const (
	plain packing = iota
	gzipped
	zstandard
	bzipped
	unread
)

// mediaType is that of a layer packed so. There is none for bzip2.
func (p packing) mediaType() types.MediaType {
	switch p {
	case gzipped:
		return types.OCILayer
	case zstandard:
		return types.OCILayerZStd
	}
	return types.OCIUncompressedLayer
}

// isZstd reads the media type of a layer.
func isZstd(mt types.MediaType) bool { return strings.HasSuffix(string(mt), "zstd") }

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
		{unread, "\xfd7zXZ\x00", "xz"},
		{unread, "\x04\x22\x4d\x18", "lz4"},
	} {
		if !bytes.HasPrefix(head, []byte(magic.bytes)) {
			continue
		}
		if magic.p == unread {
			return unread, fail("", fmt.Errorf("%s: %w", magic.name, ErrCompression), "unpack it with "+magic.name+" -d first, or pack it with gzip or zstd")
		}
		return magic.p, nil
	}
	return plain, nil
}

// unpack decompresses r, without closing it. The caller closes the result. What grows out of proportion ends with
// ErrTooLarge.
func unpack(p packing, r io.Reader) (io.ReadCloser, error) {
	if p == bzipped {
		return registry.DecompressBy(func(in io.Reader) io.Reader {
			return bzip2.NewReader(bufio.NewReaderSize(in, 64<<10))
		}, io.NopCloser(r)), nil
	}
	return registry.Decompress(p.mediaType(), io.NopCloser(r))
}

// unpackAny decompresses r by its first bytes.
func unpackAny(r io.Reader) (io.ReadCloser, packing, error) {
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
