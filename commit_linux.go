package caisson

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/changes"
)

// commit makes an image of the container, with a layer for each directory that is none of an image yet.
func (l *live) commit(ctx context.Context, name string, o *CommitOptions) (img *Image, err error) {
	s, err := l.engine.images()
	if err != nil {
		return nil, err
	}
	release, err := s.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	n := newImageOn(s, l.request.from.origin().stored)
	if err := n.change(o.Changes); err != nil {
		return nil, err
	}
	now := o.Created.UTC()
	if now.IsZero() {
		now = time.Now().UTC()
	}
	step := v1.History{Created: v1.Time{Time: now}, Author: o.Author, Comment: o.Message}
	err = l.withTree(ctx, o.Live, func(ctx context.Context, t *changes.Tree) error {
		for _, dir := range l.newLayers() {
			if err := n.pack(ctx, t, dir, v1.History{Created: step.Created}); err != nil {
				return err
			}
		}
		step.CreatedBy = strings.Join(l.request.spec.Args, " ")
		if step.EmptyLayer, err = unchanged(ctx, t); step.EmptyLayer || err != nil {
			n.add(changes.Packed{}, step)
			return err
		}
		return closedInstead(ctx, n.pack(ctx, t, l.request.root.Upper, step))
	})
	if err != nil {
		return nil, err
	}
	if o.Author != "" {
		n.config.Author = o.Author
	}
	return n.keep(ctx, l.engine, name, now)
}

// newLayers are the directories between the image of the store, if there is one, and the writable layer.
func (l *live) newLayers() (dirs []string) {
	from := l.request.from
	layers := l.request.root.Lower
	if stored := from.origin().stored; stored != nil {
		layers = layers[len(from.origin().layers):]
	}
	dirs = slices.Clone(layers)
	for _, id := range l.kept {
		dirs = append(dirs, filepath.Join(l.snapshotsDir(), id, "fs"))
	}
	return dirs
}

// unchanged tells whether the writable layer makes no difference.
func unchanged(ctx context.Context, t *changes.Tree) (bool, error) {
	for _, err := range changes.List(ctx, *t) {
		return false, err
	}
	return true, nil
}

// pack adds a directory as a layer.
func (n *newImage) pack(ctx context.Context, t *changes.Tree, dir string, step v1.History) error {
	upper, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = upper.Close() }()
	one := *t
	one.Upper, one.Lower = upper, nil
	p, err := changes.Pack(ctx, one, n.store.PutNewBlob)
	if err == nil {
		n.add(p, step)
	}
	return err
}
