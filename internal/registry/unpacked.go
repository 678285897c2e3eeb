package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// Unpack unpacks the layers of an image of the store that are only packed there so far, Jobs at once, and makes their
// cover. They may be so because the machine was started anew; they are settled, so that the next time does not cost the
// same again. Of the options Jobs, Layer and Progress count; ref is the image in what Progress is told. No registry is
// asked.
//
// Errors: those of store.Store's PutLayer, Cover and Settle; fs.ErrNotExist for a layer that is not even there packed; ErrMediaType;
// ErrTooLarge; ctx.Err().
func Unpack(ctx context.Context, s *store.Store, img *store.Image, ref string, o Options) error {
	o = o.withDefaults()
	parts := make([]piece, len(img.Manifest.Layers))
	for i, d := range img.Manifest.Layers {
		if _, err := compressionOf(d.MediaType); err != nil {
			return fmt.Errorf("layer %s: %w", d.Digest, err)
		}
		parts[i] = piece{desc: d, diffID: img.Config.RootFS.DiffIDs[i]}
	}
	release, err := s.Begin(ctx) // nothing of it is removed meanwhile
	if err != nil {
		return err
	}
	defer release()
	rep, stop := newReporter(ref, o.Progress)
	defer stop()
	p := &puller{s: s, o: &o, rep: rep, unpacked: BudgetFor(img.Manifest.Layers)}
	for _, l := range parts {
		rep.phase(l.desc, Waiting)
	}
	if err := parallel(ctx, o.Jobs, largestFirst(parts, func(l piece) int64 { return l.desc.Size }), p.unpackHere); err != nil {
		return err
	}
	if err := s.Cover(ctx, img.Config.RootFS.DiffIDs, *o.Layer); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// unpackHere is unpackStored for what is not fetched if it is damaged.
func (p *puller) unpackHere(ctx context.Context, l piece) error {
	if !p.s.HasBlob(l.desc.Digest, l.desc.Size) {
		return fmt.Errorf("layer %s: %w", l.desc.Digest, fs.ErrNotExist)
	}
	phase := Exists
	err := p.unpack(ctx, l, func() (io.ReadCloser, error) {
		phase = Done
		p.rep.phase(l.desc, Unpacking)
		return p.s.Blob(l.desc.Digest)
	})
	if err == nil {
		p.rep.phase(l.desc, phase)
	}
	return err
}

// unpackNamed unpacks the image that a name of the store stands for.
func unpackNamed(ctx context.Context, s *store.Store, r Reference, o *Options) error {
	img, err := s.Find(r.String(), o.Platform)
	if errors.Is(err, ErrPlatform) { // a manifest that does not say what it is for; see resolve
		img, err = s.Find(r.String(), nil)
	}
	if err != nil {
		return err
	}
	return Unpack(ctx, s, &img, r.String(), *o)
}

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

// UnpackStored unpacks the layers of an image that the store has packed, but for those where that has been done, and
// makes their cover. What they grow to is taken from the budget.
//
// Errors: ErrMediaType; ErrTooLarge; those of the store's PutLayer, Cover and Blob.
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
	return s.Cover(ctx, c.RootFS.DiffIDs, o)
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
