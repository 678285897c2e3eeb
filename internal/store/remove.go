package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// errUnchanged ends a change of index.json without one.
var errUnchanged = errors.New("unchanged")

// Untag takes a name from an image. One that has no other stays as a dangling image, until it is removed by its digest
// or by Prune.
//
// Errors: *Error around fs.ErrNotExist, ctx.Err(), the errno.
func (s *Store) Untag(ctx context.Context, ref string) error {
	return wrap("untag", ref, s.denied(s.untag(ctx, ref)))
}

func (s *Store) untag(ctx context.Context, ref string) error {
	root, err := s.update(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	release, err := lockShared(ctx, root)
	if err != nil {
		return err
	}
	defer release()
	return s.changeNames(ctx, root, func(index *v1.IndexManifest) error {
		if !slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Annotations[refName] == ref && ref != "" }) {
			return fs.ErrNotExist
		}
		index.Manifests = without(index.Manifests, ref, v1.Hash{})
		return nil
	})
}

// RemoveOptions refine Remove. The zero value removes what has one name at most.
type RemoveOptions struct {
	Force bool // removes an image that is named by its digest together with all its names
}

// Remove removes an image as docker image rm does. A name is taken from an image that has others; the last one goes
// with the image. A digest, or the beginning of one, stands for the image with all its names; it must not have several
// without Force. What other images refer to stays. An image in use stays, with its last name.
//
// Errors: *Error around fs.ErrNotExist, *AmbiguousError, ErrNames, ErrInUse, ctx.Err(), the errno.
func (s *Store) Remove(ctx context.Context, ref string, o RemoveOptions) (Removed, error) {
	r, err := s.remove(ctx, ref, o)
	if errors.Is(err, ErrNames) {
		err = &Error{Op: "remove", Path: ref, Err: err, Hint: "name those that should go, or force it"}
	}
	return r, wrap("remove", ref, s.denied(err))
}

func (s *Store) remove(ctx context.Context, ref string, o RemoveOptions) (Removed, error) {
	root, err := s.update(ctx)
	if err != nil {
		return Removed{}, err
	}
	defer root.Close()
	c, err := s.removeAlone(ctx, root, ref, o)
	if c == nil {
		return Removed{}, err
	}
	return c.Removed, errors.Join(err, c.empty())
}

// removeAlone is what of Remove happens while nobody else writes.
func (s *Store) removeAlone(ctx context.Context, root disk, ref string, o RemoveOptions) (*collector, error) {
	release, err := lockAlone(ctx, root)
	if err != nil {
		return nil, err
	}
	defer release()
	v, err := s.look(root)
	if err != nil {
		return nil, err
	}
	found, err := v.find(ref)
	if err != nil {
		return nil, err
	}
	gone, names := v.going(found)
	if !found[0].byName && len(names) > 1 && !o.Force {
		return nil, fmt.Errorf("%w: %.300q", ErrNames, names)
	}
	if err := v.unused(gone); err != nil {
		return nil, err
	}
	only := newReach()
	for _, d := range v.index.Manifests {
		if gone(d) {
			_ = only.add(root, d.Digest, true) // what is damaged leads no further
		}
	}
	c, err := drop(ctx, root, gone, v.held, &only)
	if damaged(err) || errors.Is(err, fs.ErrNotExist) {
		err = nil // another image is damaged. The name is gone; Prune says what stands in the way of the rest
	}
	return c, err
}

// going says which entries go when these are removed, and what their names are.
func (v *view) going(found []match) (gone func(v1.Descriptor) bool, names []string) {
	if found[0].byName {
		names = []string{found[0].entry.Annotations[refName]}
		return func(d v1.Descriptor) bool { return d.Annotations[refName] == names[0] }, names
	}
	gone = func(d v1.Descriptor) bool {
		return slices.ContainsFunc(found, func(m match) bool { return m.entry.Digest == d.Digest })
	}
	for _, d := range v.index.Manifests {
		if name := d.Annotations[refName]; name != "" && gone(d) {
			names = append(names, name)
		}
	}
	return gone, names
}

// unused fails if a manifest is in use that none of the other entries has.
func (v *view) unused(gone func(v1.Descriptor) bool) error {
	stays := map[v1.Hash]bool{}
	for _, d := range v.index.Manifests {
		if gone(d) {
			continue
		}
		stays[d.Digest] = true
		leaves, _ := v.leaves(d)
		for _, m := range leaves {
			stays[m.Digest] = true
		}
	}
	for _, d := range v.index.Manifests {
		if !gone(d) {
			continue
		}
		leaves, err := v.leaves(d)
		if damaged(err) || errors.Is(err, ErrDocument) || errors.Is(err, fs.ErrNotExist) {
			continue // it tells nobody what is in it; collecting keeps what is in use
		}
		if err != nil {
			return err
		}
		for _, m := range leaves {
			if !stays[m.Digest] && v.held(m.Digest) {
				return inUseError(v.root, m.Digest)
			}
			stays[m.Digest] = true // looked at
		}
	}
	return nil
}
