package registry

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// layers fetches and unpacks the layers, a few at once, the largest first: it takes longest, and the others fit in
// beside it. The first error ends the others, and all have ended when it returns.
func (p *puller) layers(ctx context.Context, all []piece) error {
	all = largestFirst(all, func(l piece) int64 { return l.desc.Size })
	for _, l := range all {
		p.rep.phase(l.desc, Waiting)
	}
	return parallel(ctx, p.o.Jobs, all, p.layer)
}

// parallel does something with each of a list, jobs at once, until an error, which ends the context of the others.
func parallel[T any](ctx context.Context, jobs int, list []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(jobs, len(list)) {
		wg.Go(func() {
			for v := range next {
				if err := do(ctx, v); err != nil {
					cancel(err) // keeps the first
				}
			}
		})
	}
	for _, v := range list {
		select {
		case next <- v:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// layer makes one layer available.
func (p *puller) layer(ctx context.Context, l piece) error {
	if p.s.HasBlob(l.desc.Digest, l.desc.Size) {
		return p.unpackStored(ctx, l)
	}
	release, err := p.s.LockBlob(ctx, l.desc.Digest) // others, in other processes as well, fetch it once for all
	if err != nil {
		return err
	}
	if p.s.HasBlob(l.desc.Digest, l.desc.Size) {
		release()
		return p.unpackStored(ctx, l)
	}
	defer release()
	return p.fetchLayer(ctx, l)
}

// unpackStored unpacks a layer whose blob the store has. A blob that was damaged there is fetched anew, once.
func (p *puller) unpackStored(ctx context.Context, l piece) error {
	opened := false
	err := p.unpack(ctx, l, func() (io.ReadCloser, error) {
		opened = true
		p.rep.phase(l.desc, Unpacking)
		return p.s.Blob(l.desc.Digest)
	})
	switch {
	case err == nil && opened:
		p.rep.phase(l.desc, Done)
		return nil
	case err == nil:
		p.rep.phase(l.desc, Exists)
		return nil
	case ctx.Err() != nil:
		return err
	}
	if cerr := p.s.CheckBlob(ctx, l.desc.Digest); !errors.Is(cerr, store.ErrDigest) {
		return err
	}
	return p.fetchLayer(ctx, l)
}

// fetchLayer fetches a layer, and once more without mirrors if one of them brought what is not the layer.
func (p *puller) fetchLayer(ctx context.Context, l piece) error {
	mirrored, err := p.stream(ctx, l, true)
	if err != nil && mirrored && ctx.Err() == nil && !lasting(err) {
		p.rep.phase(l.desc, Waiting)
		_, err = p.stream(ctx, l, false)
	}
	if err == nil {
		p.rep.phase(l.desc, Done)
	}
	return err
}

// stream fetches a layer and unpacks it at the same time.
func (p *puller) stream(ctx context.Context, l piece, mirrors bool) (mirrored bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := l.desc.Size
	seen := func(n int) {
		p.rep.add(l.desc.Digest, n)
		if left -= int64(n); left == 0 && l.diffID != (v1.Hash{}) {
			p.rep.phase(l.desc, Unpacking)
		}
	}
	body, err := p.c.blob(ctx, l.desc, mirrors, seen)
	if err != nil {
		return false, err
	}
	defer body.Close()
	p.rep.phase(l.desc, Downloading)
	if l.diffID == (v1.Hash{}) {
		return body.from, p.s.PutBlob(ctx, l.desc.Digest, l.desc.Size, body)
	}
	err = p.s.PutBlobThrough(ctx, l.desc.Digest, l.desc.Size, body, func(r io.Reader) error {
		err := p.unpack(ctx, l, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
		if err == nil {
			return nil
		}
		if !lasting(err) {
			// It may be the blob that is wrong, which is known at its end.
			if _, end := io.Copy(io.Discard, r); end == nil {
				return err
			}
		}
		cancel() // nobody waits any more for what is still to come
		return err
	})
	return body.from, err
}

// lasting reports that a layer can not be unpacked here, whatever its bytes are.
func lasting(err error) bool {
	var limit *layer.LimitError
	var errno syscall.Errno
	return errors.As(err, &limit) || errors.As(err, &errno) || errors.Is(err, ErrTooLarge) ||
		errors.Is(err, errors.ErrUnsupported) || errors.Is(err, store.ErrLayerOptions)
}

// unpack unpacks a layer, unless the store has it, or it is not to be unpacked.
func (p *puller) unpack(ctx context.Context, l piece, blob func() (io.ReadCloser, error)) error {
	if l.diffID == (v1.Hash{}) {
		return nil
	}
	open := func() (io.ReadCloser, error) {
		b, err := blob()
		if err != nil {
			return nil, err
		}
		return p.unpacked.Decompress(l.desc.MediaType, b)
	}
	return p.s.PutLayer(ctx, l.diffID, open, *p.o.Layer)
}
