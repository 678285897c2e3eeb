package store

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PruneOptions say what Prune removes. The zero value removes dangling images.
type PruneOptions struct {
	// All removes every image that is not in use, with its names, not only those without a name.
	All bool

	// Until keeps images that were created, by their configuration, at this time or later. Zero: keeps none.
	Until time.Time

	// Labels and WithoutLabels keep the images that do not have all of the one, and those that have any of the other,
	// written "key" or "key=value".
	Labels, WithoutLabels []string
}

// Prune removes images that are not in use, and then every blob, layer and rest of a crash that no image and no writer
// in progress refers to. It works on a full disk.
//
// Errors: *Error around ErrDigest or fs.ErrNotExist if an image is damaged, so that what it refers to is not known;
// ctx.Err(), the errno. What was removed before an error is returned with it.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (Removed, error) {
	r, err := s.prune(ctx, o)
	return r, wrap("prune", s.dir, err)
}

func (s *Store) prune(ctx context.Context, o PruneOptions) (Removed, error) {
	root, err := s.update(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return Removed{}, nil
	}
	if err != nil {
		return Removed{}, err
	}
	defer root.Close()
	c, err := s.pruneAlone(ctx, root, o)
	if c == nil {
		return Removed{}, err
	}
	return c.Removed, errors.Join(err, c.empty(), sweep(ctx, root))
}

// pruneAlone is what of Prune happens while nobody else writes.
func (s *Store) pruneAlone(ctx context.Context, root disk, o PruneOptions) (*collector, error) {
	release, err := lockAlone(ctx, root)
	if err != nil {
		return nil, err
	}
	defer release()
	v, err := s.look(root)
	if err != nil {
		return nil, err
	}
	going := map[v1.Hash]bool{}
	for _, d := range v.index.Manifests {
		if o.wants(v, d) && !v.used(d) {
			going[d.Digest] = true
		}
	}
	return drop(ctx, root, func(d v1.Descriptor) bool { return going[d.Digest] }, v.held, nil)
}

// used reports an entry of which an image is in use. If it can not be told which images it has, one may
// be; an index that came so that it tells nobody has none.
func (v *view) used(d v1.Descriptor) bool {
	leaves, err := v.leaves(d)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDocument)
	}
	return slices.ContainsFunc(leaves, func(m v1.Descriptor) bool { return v.held(m.Digest) })
}

// wants reports whether an entry is one of those to be removed. Filters can not be asked about a damaged image, which
// stays therefore.
func (o *PruneOptions) wants(v *view, d v1.Descriptor) bool {
	if !o.All && d.Annotations[refName] != "" {
		return false
	}
	if o.Until.IsZero() && len(o.Labels) == 0 && len(o.WithoutLabels) == 0 {
		return true
	}
	img, err := v.load(match{entry: d}, nil)
	if errors.Is(err, fs.ErrNotExist) {
		if m, ok := v.firstHere(d); ok {
			img, err = v.load(match{entry: d, manifest: &m}, nil)
		}
	}
	if err != nil || !o.Until.IsZero() && !img.Config.Created.Before(o.Until) {
		return false
	}
	has := func(label string) bool {
		key, value, exact := strings.Cut(label, "=")
		got, ok := img.Config.Config.Labels[key]
		return ok && (!exact || got == value)
	}
	lacks := func(label string) bool { return !has(label) }
	return !slices.ContainsFunc(o.Labels, lacks) && !slices.ContainsFunc(o.WithoutLabels, has)
}
