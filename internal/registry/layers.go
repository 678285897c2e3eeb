package registry

import (
	"context"
	"errors"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// layers fetches and unpacks the layers, a few at once. The first error ends the others, and all have ended when it
// returns.
func (p *puller) layers(ctx context.Context, m *v1.Manifest, c *v1.ConfigFile) error {
	for _, d := range m.Layers { // before anything is fetched
		if _, err := compressionOf(d.MediaType); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(p.o.Jobs, len(m.Layers)) {
		wg.Go(func() {
			for i := range next {
				if err := p.layer(ctx, m.Layers[i], c.RootFS.DiffIDs[i]); err != nil {
					cancel(err) // keeps the first
				}
			}
		})
	}
	for i := range m.Layers {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// layer fetches one layer and unpacks it.
func (p *puller) layer(ctx context.Context, d v1.Descriptor, diffID v1.Hash) error {
	if err := p.blob(ctx, d); err != nil {
		return err
	}
	err := p.unpack(ctx, d, diffID)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// A blob that was damaged on the disk since it was verified is fetched anew, once.
	if cerr := p.s.CheckBlob(ctx, d.Digest); !errors.Is(cerr, store.ErrDigest) {
		return err
	}
	if err := p.blob(ctx, d); err != nil {
		return err
	}
	return p.unpack(ctx, d, diffID)
}

// unpack unpacks a layer of the store. Where layers can not be unpacked the blob is all there is of it.
func (p *puller) unpack(ctx context.Context, d v1.Descriptor, diffID v1.Hash) error {
	if !layer.Supported {
		return nil
	}
	c, err := compressionOf(d.MediaType)
	if err != nil {
		return err
	}
	open := func() (io.ReadCloser, error) {
		blob, err := p.s.Blob(d.Digest)
		if err != nil {
			return nil, err
		}
		rc, err := decompress(c, blob)
		if err != nil {
			return nil, err
		}
		return p.unpacked.bound(rc), nil
	}
	return p.s.PutLayer(ctx, diffID, open, *p.o.Layer)
}
