package archive

import (
	"context"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// plainLayer is a layer that a docker-archive has unpacked beside its blob: Docker before version 23 does not read zstd.
// The image layout in the same file keeps the blob, so that the image stays what it is for those who read that.
type plainLayer struct {
	blob   v1.Descriptor
	diffID v1.Hash
	size   int64 // unpacked, in bytes
}

// unpackZstd finds the layers that manifest.json would name and old readers could not read.
func (o *outgoing) unpackZstd(ctx context.Context, want v1.Platform) error {
	o.plain = map[v1.Hash]plainLayer{}
	for _, it := range o.items {
		p := it.img.choose(want)
		for i, d := range p.m.Layers {
			if _, ok := o.plain[d.Digest]; ok || !isZstd(d.MediaType) {
				continue
			}
			l := plainLayer{blob: d, diffID: p.c.diffIDs[i]}
			var err error
			if l.size, err = o.s.sizeOf(ctx, l); err != nil {
				return fail(d.Digest.String(), err, "")
			}
			o.plain[d.Digest] = l
		}
	}
	return nil
}

// extra lists the unpacked layers that are not among the blobs anyway, by digest.
func (o *outgoing) extra() []plainLayer {
	var list []plainLayer
	for _, l := range o.plain {
		there := func(d v1.Descriptor) bool { return d.Digest == l.diffID }
		same := func(other plainLayer) bool { return other.diffID == l.diffID }
		if !slices.ContainsFunc(o.blobs, there) && !slices.ContainsFunc(list, same) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b plainLayer) int { return strings.Compare(a.diffID.Hex, b.diffID.Hex) })
	return list
}

// unpackTo writes an unpacked layer.
func (s stored) unpackTo(ctx context.Context, w io.Writer, l plainLayer) (int64, error) {
	rc, err := s.s.Blob(l.blob.Digest)
	if err != nil {
		return 0, err
	}
	u, err := registry.Decompress(l.blob.MediaType, rc)
	if err != nil {
		return 0, err
	}
	defer u.Close() // and the blob
	h := newHashed(ctx, &io.LimitedReader{R: u, N: 2*store.MaxBlob + 1})
	n, err := io.Copy(w, h)
	switch {
	case err != nil:
		return n, err
	case n > 2*store.MaxBlob:
		return n, ErrTooLarge
	}
	return n, h.verify(l.diffID)
}

// sizeOf reads a layer to know how large it is unpacked: a tar file says so before the content.
func (s stored) sizeOf(ctx context.Context, l plainLayer) (int64, error) {
	return s.unpackTo(ctx, io.Discard, l)
}
