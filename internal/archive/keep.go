package archive

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// keep makes the images of an archive those of the store: the unpacked layers, the blobs, the names.
func keep(ctx context.Context, s *store.Store, c contents, list []image, o *LoadOptions) ([]Loaded, error) {
	if err := unpackLayers(ctx, s, c, list, o); err != nil {
		return nil, err
	}
	kept := map[v1.Hash]bool{}
	for _, img := range list {
		if err := keepBlobs(ctx, c, img, kept); err != nil {
			return nil, err
		}
	}
	return register(ctx, s, list, o)
}

// keepBlobs keeps what the documents refer to before the documents.
func keepBlobs(ctx context.Context, c contents, img image, kept map[v1.Hash]bool) error {
	var all []v1.Descriptor
	for _, p := range img.parts {
		all = append(append(all, p.blobs()...), p.desc)
	}
	for i := len(img.indexes) - 1; i >= 0; i-- {
		all = append(all, img.indexes[i])
	}
	for _, d := range all {
		if kept[d.Digest] {
			continue
		}
		kept[d.Digest] = true
		if err := c.keep(ctx, d); err != nil {
			return fail(d.Digest.String(), err, "")
		}
	}
	return nil
}

// job is a layer to unpack.
type job struct {
	d      v1.Descriptor
	diffID v1.Hash
}

// unpackLayers unpacks the layers that images for the platform have, a few at once. The first error ends the others,
// and all have ended when it returns.
func unpackLayers(ctx context.Context, s *store.Store, c contents, list []image, o *LoadOptions) error {
	var jobs []job
	var packed []v1.Descriptor
	var stacks [][]v1.Hash
	seen := map[v1.Hash]bool{}
	for _, img := range list {
		for _, p := range img.parts {
			if p.c == nil || len(img.indexes) > 0 && !p.fits(*o.Platform) {
				continue
			}
			stacks = append(stacks, p.c.diffIDs)
			for i, d := range p.m.Layers {
				if !seen[p.c.diffIDs[i]] {
					seen[p.c.diffIDs[i]] = true
					jobs, packed = append(jobs, job{d, p.c.diffIDs[i]}), append(packed, d)
				}
			}
		}
	}
	if err := unpackJobs(ctx, s, c, jobs, registry.BudgetFor(packed), o); err != nil {
		return err
	}
	for _, diffIDs := range stacks {
		if err := s.Cover(ctx, diffIDs, *o.Layer); err != nil {
			return fail("layers", err, "")
		}
	}
	return nil
}

func unpackJobs(ctx context.Context, s *store.Store, c contents, jobs []job, left *registry.Budget, o *LoadOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(o.Jobs, len(jobs)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(jobs) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := unpackLayer(ctx, s, c, jobs[i], left, *o.Layer); err != nil {
					cancel(fail(jobs[i].d.Digest.String(), err, "")) // keeps the first
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// unpackLayer unpacks one layer.
func unpackLayer(ctx context.Context, s *store.Store, c contents, j job, left *registry.Budget, o layer.Options) error {
	open := func() (io.ReadCloser, error) {
		rc, err := c.Open(j.d.Digest)
		if err != nil {
			return nil, err
		}
		return left.Decompress(j.d.MediaType, rc)
	}
	opened := false
	if layer.Supported {
		err := s.PutLayer(ctx, j.diffID, func() (io.ReadCloser, error) { opened = true; return open() }, o)
		if err != nil {
			return err
		}
	}
	if opened || s.HasBlob(j.d.Digest, j.d.Size) {
		return nil
	}
	return verify(ctx, open, j.diffID)
}

// verify reads a layer that nothing has unpacked now, because it can not be or was already: the blob has to be what it
// is said to be all the same.
func verify(ctx context.Context, open func() (io.ReadCloser, error), diffID v1.Hash) error {
	rc, err := open()
	if err != nil {
		return err
	}
	defer rc.Close()
	h := newHashed(ctx, rc)
	if _, err := io.Copy(io.Discard, h); err != nil {
		return err
	}
	return h.verify(diffID)
}

// register makes the images visible, all at once.
func register(ctx context.Context, s *store.Store, list []image, o *LoadOptions) ([]Loaded, error) {
	additions := make([]store.Addition, len(list))
	for i, img := range list {
		additions[i].Desc = v1.Descriptor{MediaType: img.desc.MediaType, Digest: img.desc.Digest, Size: img.desc.Size}
		if len(img.indexes) == 0 {
			additions[i].Desc.Platform = img.parts[0].c.platform
		}
		if o.Names != NoNames {
			additions[i].Names = img.names
		}
	}
	if err := s.Add(ctx, additions, o.Names == AllNames); err != nil {
		return nil, err
	}
	loaded := make([]Loaded, len(list))
	for i, img := range list {
		loaded[i] = Loaded{Digest: img.desc.Digest, ID: img.id(*o.Platform), Kept: additions[i].Kept, Tag: img.tag}
		for _, name := range additions[i].Names {
			if !slices.Contains(additions[i].Kept, name) {
				loaded[i].Names = append(loaded[i].Names, name)
			}
		}
	}
	return loaded, nil
}

// id is the digest of the configuration for the platform, or zero.
func (img *image) id(want v1.Platform) v1.Hash {
	for _, p := range img.parts {
		if p.c != nil && (len(img.indexes) == 0 || p.fits(want)) {
			return p.m.Config.Digest
		}
	}
	return v1.Hash{}
}
