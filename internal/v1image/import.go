package v1image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// jobs is how many layers are imported at once.
const jobs = 4

// Import puts an image into the store under a name, and returns the digest of its manifest. The manifest and the
// configuration are kept as they are, every blob is verified, and layers are unpacked, with nil options as
// layer.Defaults has them. The name comes last; what was stored before an error is kept for the next time.
//
// The name is read as registry.Parse reads it; one with a digest must have that of the image.
//
// Errors: *Error around registry.ErrReference, registry.ErrMediaType, store.ErrDigest, store.ErrSize,
// store.ErrDocument, store.ErrTooLarge, ErrChanged, *layer.Error, fs.ErrInvalid (a nil image), the errors of the image,
// ctx.Err(), the errno.
func Import(ctx context.Context, s *store.Store, img v1.Image, ref string, o *layer.Options) (v1.Hash, error) {
	desc, err := importNamed(ctx, s, ref, o, func(in *importer) (v1.Descriptor, error) { return in.image(ctx, img, true) })
	return desc.Digest, err
}

// importNamed imports something and gives it its name.
func importNamed(ctx context.Context, s *store.Store, ref string, o *layer.Options, do func(*importer) (v1.Descriptor, error)) (v1.Descriptor, error) {
	name, err := registry.Parse(ref)
	if err != nil {
		return v1.Descriptor{}, wrap("import", ref, err)
	}
	in := &importer{s: s, o: layer.Defaults(), budget: registry.BudgetFor}
	if o != nil {
		in.o = *o
	}
	done, err := s.Begin(ctx) // until there is a name, nothing else keeps the blobs
	if err != nil {
		return v1.Descriptor{}, wrap("import", ref, err)
	}
	defer done()
	desc, err := do(in)
	if err == nil && !named(name.String(), desc.Digest) {
		err = &Error{"import", ref, fmt.Errorf("%w: the name has another than %s", store.ErrDigest, desc.Digest), "leave the digest out of the name"}
	}
	if err == nil {
		err = s.Tag(ctx, name.String(), desc)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = errors.Join(ctx.Err(), err)
	}
	return desc, wrap("import", ref, err)
}

// named reports whether a name may be that of the digest.
func named(name string, h v1.Hash) bool {
	i := bytes.IndexByte([]byte(name), '@')
	return i < 0 || name[i+1:] == h.String()
}

// importer is one import.
type importer struct {
	s      *store.Store
	o      layer.Options
	budget func(layers []v1.Descriptor) *registry.Budget // for what an image may be unpacked to
}

// image stores an image. What it says of itself is believed only as far as it can be verified.
func (in *importer) image(ctx context.Context, img v1.Image, unpack bool) (v1.Descriptor, error) {
	if img == nil {
		return v1.Descriptor{}, fs.ErrInvalid
	}
	desc, raw, err := described(img)
	if err != nil {
		return desc, fmt.Errorf("manifest: %w", err)
	}
	m, err := store.DecodeManifest(raw, desc.MediaType)
	if err != nil {
		return desc, fmt.Errorf("manifest: %w", err)
	}
	config, err := bound(img.RawConfigFile())
	if err != nil {
		return desc, fmt.Errorf("configuration: %w", err)
	}
	if err := in.put(ctx, m.Config.Digest, m.Config.Size, config); err != nil {
		return desc, err
	}
	var diffIDs []v1.Hash
	if unpack {
		c, err := store.DecodeConfig(config, len(m.Layers))
		if err != nil {
			return desc, fmt.Errorf("configuration: %w", err)
		}
		diffIDs, desc.Platform = c.RootFS.DiffIDs, c.Platform()
	}
	if err := in.layers(ctx, img, m, diffIDs); err != nil {
		return desc, err
	}
	return desc, in.put(ctx, desc.Digest, desc.Size, raw)
}

// put stores a document.
func (in *importer) put(ctx context.Context, want v1.Hash, size int64, b []byte) error {
	if in.s.HasBlob(want, size) {
		_ = in.s.CheckBlob(ctx, want) // one that was damaged is removed, so that it is written anew
	}
	return in.s.PutBlob(ctx, want, size, bytes.NewReader(b))
}

// layers stores the layers, a few at once, and unpacks those with a diff id. The first error ends the others, and all
// have ended when it returns.
func (in *importer) layers(ctx context.Context, img v1.Image, m *v1.Manifest, diffIDs []v1.Hash) error {
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("layers: %w", err)
	}
	if len(layers) != len(m.Layers) {
		return fmt.Errorf("%w: %d layers, and %d in the manifest", ErrChanged, len(layers), len(m.Layers))
	}
	left := in.budget(m.Layers)
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int32
	var wg sync.WaitGroup
	for range min(jobs, len(layers)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(layers) && all.Err() == nil; i = int(next.Add(1)) - 1 {
				err := in.layer(all, layers[i], m.Layers[i])
				if err == nil && diffIDs != nil {
					err = in.unpackOrMend(all, layers[i], m.Layers[i], diffIDs[i], left)
				}
				if err != nil {
					cancel(fmt.Errorf("layer %s: %w", m.Layers[i].Digest, err)) // keeps the first
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(all); err != nil || diffIDs == nil {
		return err
	}
	return in.s.Cover(ctx, diffIDs, in.o)
}

// layer stores the blob of a layer.
func (in *importer) layer(ctx context.Context, l v1.Layer, d v1.Descriptor) error {
	if l == nil {
		return fmt.Errorf("%w: a layer is nil", ErrChanged)
	}
	h, err := l.Digest()
	if err != nil {
		return err
	}
	if h != d.Digest {
		return fmt.Errorf("%w: it has the digest %.100q", ErrChanged, h)
	}
	if in.s.HasBlob(d.Digest, d.Size) {
		return nil
	}
	rc, err := l.Compressed()
	if err != nil {
		return err
	}
	if rc == nil {
		return fmt.Errorf("%w: it has no content", ErrChanged)
	}
	err = in.s.PutBlob(ctx, d.Digest, d.Size, rc)
	return errors.Join(err, rc.Close())
}

// unpackOrMend unpacks a stored layer. A blob that was damaged on the disk since it was verified is taken anew, once.
func (in *importer) unpackOrMend(ctx context.Context, l v1.Layer, d v1.Descriptor, diffID v1.Hash, left *registry.Budget) error {
	err := in.unpack(ctx, d, diffID, left)
	if err == nil || ctx.Err() != nil || !errors.Is(in.s.CheckBlob(ctx, d.Digest), store.ErrDigest) {
		return err
	}
	if err := in.layer(ctx, l, d); err != nil {
		return err
	}
	return in.unpack(ctx, d, diffID, left)
}

// unpack unpacks a stored layer. Where layers can not be unpacked the blob is all there is of it.
func (in *importer) unpack(ctx context.Context, d v1.Descriptor, diffID v1.Hash, left *registry.Budget) error {
	if !layer.Supported {
		_, _, err := registry.Packing(d.MediaType)
		return err
	}
	return in.s.PutLayer(ctx, diffID, func() (io.ReadCloser, error) {
		blob, err := in.s.Blob(d.Digest)
		if err != nil {
			return nil, err
		}
		return left.Decompress(d.MediaType, blob)
	}, in.o)
}
