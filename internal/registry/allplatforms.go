package registry

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// planAll plans every image of an index. That for the platform is the first, so what is wrong with it is known first.
func (p *puller) planAll(ctx context.Context, w *work, top document) error {
	var ours v1.Hash
	path, err := p.descend(ctx, top)
	switch {
	case err == nil:
		d := path[len(path)-1]
		if ours = d.desc.Digest; ours != (v1.Hash{}) {
			if _, err := p.planImage(ctx, w, d, true); err != nil {
				return err
			}
		}
	case !errors.Is(err, ErrPlatform):
		return err
	}
	seen := map[v1.Hash]bool{ours: true}
	if err := p.planIndex(ctx, w, top, seen, 1); err != nil {
		return err
	}
	total := int64(0)
	for _, l := range w.layers { // each of at most MaxBlob, and there are at most maxImages times MaxLayers
		if total += l.desc.Size; total > maxTogether {
			return fmt.Errorf("%w: the layers of all images have more than %d GiB", ErrTooLarge, int64(maxTogether)>>30)
		}
	}
	w.top = top.desc
	return nil
}

// planIndex plans what an index refers to, then the index.
func (p *puller) planIndex(ctx context.Context, w *work, d document, seen map[v1.Hash]bool, depth int) error {
	if depth > maxIndexes {
		return fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes)
	}
	index, err := store.DecodeIndex(d.raw, d.desc.MediaType)
	if err != nil {
		return err
	}
	if err := w.hold(d.desc.Size); err != nil {
		return err
	}
	for _, child := range index.Manifests {
		if seen[child.Digest] {
			continue
		}
		if seen[child.Digest] = true; len(seen) > maxImages {
			return fmt.Errorf("%w: an index of more than %d images", ErrTooLarge, maxImages)
		}
		if !child.MediaType.IsImage() && !child.MediaType.IsIndex() {
			return fmt.Errorf("%s in an index: %w %.100q", child.Digest, ErrMediaType, child.MediaType)
		}
		c, err := p.document(ctx, child)
		if err != nil {
			return err
		}
		if c.desc.MediaType.IsIndex() {
			err = p.planIndex(ctx, w, c, seen, depth+1)
		} else {
			_, err = p.planImage(ctx, w, c, false)
		}
		if err != nil {
			return err
		}
	}
	w.documents = append(w.documents, d)
	return nil
}
