package store

import (
	"context"
	"errors"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Repair removes what a check has found to be damaged, so that pulling the image again makes it anew. It looks again
// first, with the options of the check: what is whole is not removed. Of an index.json that can not be read, a new one is
// made with all images that are there, without their names.
//
// Errors: *Error around ErrInUse (a damaged layer or manifest of a running container, or a layer that is being
// written into the store), ctx.Err(), the errno.
func (s *Store) Repair(ctx context.Context, p Problem) error {
	var err error
	switch p.Kind {
	case ProblemIndex:
		err = s.repairIndex(ctx)
	case ProblemBlob:
		_, err = s.checkBlob(ctx, p.Object)
	case ProblemLayer:
		o := p.found
		if o == nil {
			o = &CheckOptions{}
		}
		err = s.repairLayer(ctx, p.Object, o)
	}
	return wrap("repair", p.Object.String(), err)
}

func (s *Store) repairLayer(ctx context.Context, diffID v1.Hash, o *CheckOptions) error {
	if err := checkHash(diffID); err != nil {
		return err
	}
	root, err := s.update(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := root.Open("layers/" + diffID.Hex) // as long as it is open no other directory is taken for it
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	looked, err := dir.Stat()
	if err != nil {
		return err
	}
	if whole, err := s.wholeLayer(ctx, root, diffID, o); whole || err != nil {
		return err
	}
	c := &collector{root: root}
	if err := s.takeLayer(ctx, c, diffID, looked); err != nil {
		return err
	}
	return c.empty()
}

// wholeLayer compares a layer again. One that can not be compared any more is not whole.
func (s *Store) wholeLayer(ctx context.Context, root disk, diffID v1.Hash, o *CheckOptions) (bool, error) {
	r, ok := readRecord(root, diffID)
	if _, err := readImplied(root, diffID); !ok || err != nil {
		return false, nil
	}
	index, err := readIndex(root)
	if err != nil {
		return false, err
	}
	bad := false
	c := &checker{s: s, ctx: ctx, root: root, o: o, layers: map[v1.Hash][]packedLayer{}, covers: map[v1.Hash][]v1.Hash{}, names: map[v1.Hash][]string{}, seen: map[v1.Hash]bool{}}
	c.yield = func(p Problem, _ error) bool {
		bad = bad || p.Kind == ProblemLayer
		return true
	}
	v := s.lookAt(root, index)
	for _, d := range index.Manifests {
		if err := c.entry(v, d); err != nil {
			return false, err
		}
	}
	if ids, ok := c.covers[diffID]; ok {
		done, err := c.cover(diffID, r, ids)
		return done && err == nil && !bad, err
	}
	for _, p := range c.layers[diffID] {
		if whole, err := s.wholeBlob(ctx, p.blob); err != nil {
			return false, err
		} else if !whole {
			continue
		}
		if done, err := c.compare(diffID, r, p); done || err != nil {
			return err == nil && !bad, err
		}
	}
	return false, ctx.Err()
}

// wholeBlob reports whether there is a blob, and it has its digest.
func (s *Store) wholeBlob(ctx context.Context, h v1.Hash) (bool, error) {
	f, err := s.openBlob(h)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	return ofDigest(ctx, h)(f)
}

// takeLayer moves a layer away while nobody else writes or begins to use it, unless it is another than was looked at.
func (s *Store) takeLayer(ctx context.Context, c *collector, diffID v1.Hash, looked fs.FileInfo) error {
	release, err := lockAlone(ctx, c.root)
	if err != nil {
		return err
	}
	defer release()
	path := "layers/" + diffID.Hex
	now, err := c.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, looked) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.noted, err = noted(ctx, c.root); err != nil {
		return err
	}
	if c.noted[diffID.Hex] {
		return &Error{Op: "repair", Path: diffID.String(), Err: ErrInUse, Hint: "an image with it is being stored; try again when that is done"}
	}
	v, err := s.look(c.root)
	if err != nil {
		return err
	}
	if err := c.unusedLayer(v, diffID); err != nil {
		return err
	}
	return c.take(path)
}

// unusedLayer fails if an image in use has a layer, or may have it: of a damaged one that is not known.
func (c *collector) unusedLayer(v *view, diffID v1.Hash) error {
	return c.each("blobs/sha256", func(h v1.Hash) error {
		if !inUse(c.root, h) && !(mayBeManifest(c.root, h) && v.held(h)) {
			return nil
		}
		r := newReach()
		if err := r.add(c.root, h, true); err != nil || r.layers[diffID] {
			return inUseError(c.root, h)
		}
		return nil
	})
}
