package registry

import (
	"errors"
	"fmt"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// resolve finds the image for the platform. With AllPlatforms there need not be one: then the Image has but its name
// and its descriptor.
func resolve(s *store.Store, r Reference, o *Options) (store.Image, error) {
	img, err := s.ResolvePlatform(r.String(), o.Platform)
	if !errors.Is(err, ErrPlatform) {
		return img, err
	}
	d, lerr := lookup(s, r.String())
	switch {
	case lerr != nil:
		return store.Image{}, lerr
	case d.MediaType.IsIndex() && o.AllPlatforms:
		return store.Image{Ref: r.String(), Digest: d.Digest, Index: d.Digest, Descriptor: d}, nil
	case d.MediaType.IsIndex():
		return store.Image{}, err
	}
	if img, err = s.Resolve(r.String()); err == nil {
		err = fits(&img.Config, *o.Platform)
	}
	return img, err
}

// lookup is what a name points to.
func lookup(s *store.Store, name string) (v1.Descriptor, error) {
	img, err := s.Find(name, nil)
	if err == nil || !errors.Is(err, ErrPlatform) {
		return img.Descriptor, err
	}
	for img := range s.Images() { // an index of others' platforms
		if img.Ref == name {
			return img.Descriptor, nil
		}
	}
	return v1.Descriptor{}, err
}

// hasName reports whether the store has something by the name.
func (p *puller) hasName() bool {
	_, err := lookup(p.s, p.ref.String())
	return err == nil
}

// complete fails with fs.ErrNotExist unless all that a name points to is here, the layers packed at least.
func complete(s *store.Store, name string) (v1.Descriptor, error) {
	d, err := lookup(s, name)
	if err != nil {
		return d, err
	}
	t := tree{s: s}
	return d, t.read(d, 1)
}

// tree is what a manifest or an index of the store leads to.
type tree struct {
	s         *store.Store
	documents []document      // manifests and indexes, each behind those that it refers to
	blobs     []v1.Descriptor // configurations and layers, each once
	seen      map[v1.Hash]bool
}

// read reads a manifest or index, and fails with fs.ErrNotExist if something is missing.
func (t *tree) read(d v1.Descriptor, depth int) error {
	if t.seen == nil {
		t.seen = map[v1.Hash]bool{}
	}
	if t.seen[d.Digest] {
		return nil
	}
	t.seen[d.Digest] = true
	if depth > maxIndexes+1 || len(t.seen) > maxImages*store.MaxLayers {
		return fmt.Errorf("%w: indexes nested deeper than %d, or too large", store.ErrDocument, maxIndexes)
	}
	raw, err := t.s.Document(d.Digest)
	if err != nil {
		return err
	}
	if d.MediaType == "" {
		d.MediaType = mediaType("", raw)
	}
	d.Size = int64(len(raw))
	if err := t.children(d, raw, depth); err != nil {
		return err
	}
	t.documents = append(t.documents, document{d, raw})
	return nil
}

func (t *tree) children(d v1.Descriptor, raw []byte, depth int) error {
	if d.MediaType.IsIndex() {
		index, err := store.DecodeIndex(raw, d.MediaType)
		if err != nil {
			return err
		}
		for _, c := range index.Manifests {
			if err := t.read(c, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	m, err := store.DecodeManifest(raw, d.MediaType)
	if err != nil {
		return err
	}
	for _, b := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if t.seen[b.Digest] {
			continue
		}
		t.seen[b.Digest] = true
		if !t.s.HasBlob(b.Digest, b.Size) {
			return fmt.Errorf("%s: %w", b.Digest, fs.ErrNotExist)
		}
		t.blobs = append(t.blobs, b)
	}
	return nil
}
