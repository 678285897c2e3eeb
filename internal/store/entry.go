package store

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Descriptor returns what Resolve would find by this name or digest: an image, or an index of images for several
// platforms. Its name, if it was found by one, is in the annotation org.opencontainers.image.ref.name.
//
// Errors: *Error around fs.ErrNotExist, *AmbiguousError, the errno.
func (s *Store) Descriptor(ref string) (v1.Descriptor, error) {
	d, err := s.descriptor(ref)
	return d, wrap("resolve", ref, err)
}

func (s *Store) descriptor(ref string) (v1.Descriptor, error) {
	root, err := s.read()
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer root.Close()
	v, err := s.look(root)
	if err != nil {
		return v1.Descriptor{}, err
	}
	found, err := v.find(ref)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := found[0].entry
	if found[0].manifest != nil {
		d = *found[0].manifest
	}
	if !found[0].byName {
		d.Annotations = nil
	}
	return d, nil
}

// Addition is an image that Add makes visible.
type Addition struct {
	Desc  v1.Descriptor // as for Tag
	Names []string      // those it is to have; none makes a dangling image of one that has none already
	Kept  []string      // set by Add: those of Names that another image has and keeps
}

// Add makes several images visible at once, or none. Names that other images have are taken from them, as Tag does, if
// move is true, and stay with them otherwise.
//
// Errors: those of Tag.
func (s *Store) Add(ctx context.Context, list []Addition, move bool) error {
	return wrap("add", s.dir, s.add(ctx, list, move))
}

func (s *Store) add(ctx context.Context, list []Addition, move bool) error {
	root, err := s.write(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	release, err := lockShared(ctx, root) // see tag
	if err != nil {
		return err
	}
	defer release()
	for _, a := range list {
		if err := a.check(root); err != nil {
			return err
		}
	}
	if err := root.SyncDir("blobs/sha256"); err != nil { // see tag
		return err
	}
	return s.changeNames(ctx, root, func(index *v1.IndexManifest) error {
		for i := range list {
			list[i].apply(index, move)
		}
		return nil
	})
}

func (a *Addition) check(root disk) error {
	for _, name := range a.Names {
		if !validRef(name) {
			return fmt.Errorf("%w: %.300q", ErrName, name)
		}
	}
	if err := checkDescriptor(a.Desc); err != nil {
		return err
	}
	if !a.Desc.MediaType.IsImage() && !a.Desc.MediaType.IsIndex() {
		return fs.ErrInvalid
	}
	return complete(root, a.Desc)
}

// apply puts the image in the index.
func (a *Addition) apply(index *v1.IndexManifest, move bool) {
	desc := slim(a.Desc)
	same := func(d v1.Descriptor) bool { return d.Digest == desc.Digest }
	a.Kept = nil
	for _, name := range a.Names {
		other := func(d v1.Descriptor) bool { return d.Annotations[refName] == name && d.Digest != desc.Digest }
		if !move && slices.ContainsFunc(index.Manifests, other) {
			a.Kept = append(a.Kept, name)
			continue
		}
		named := desc
		named.Annotations = map[string]string{refName: name}
		index.Manifests = append(without(index.Manifests, name, desc.Digest), named)
	}
	if !slices.ContainsFunc(index.Manifests, same) {
		index.Manifests = append(index.Manifests, desc)
	}
}

// DecodeObject reads a JSON object under the rules of DecodeManifest: bounded, and without keys that two readers
// understand in two ways.
func DecodeObject(b []byte, into any) error { return decode(b, into) }
