package store

import (
	"context"
	"errors"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// changeNames is changeIndex for a change of names. A manifest that loses its last name by it mostly stays in the list
// without one; but not where an index of the list has it: it is one of that index's images then, under its names, and no
// longer one of its own.
func (s *Store) changeNames(ctx context.Context, root disk, change func(*v1.IndexManifest) error) error {
	err := changeIndex(ctx, root, func(index *v1.IndexManifest) error {
		named := map[v1.Hash]bool{}
		for _, d := range index.Manifests {
			if NameOf(d) != "" {
				named[d.Digest] = true
			}
		}
		if err := change(index); err != nil {
			return err
		}
		v := s.lookAt(root, index)
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			return NameOf(d) == "" && named[d.Digest] && v.within(d.Digest)
		})
		return nil
	})
	if errors.Is(err, ErrDocument) {
		return s.unreadable(err)
	}
	return err
}

// within reports a manifest that an index of the list has.
func (v *view) within(manifest v1.Hash) bool {
	return slices.ContainsFunc(v.index.Manifests, func(d v1.Descriptor) bool {
		return d.Digest != manifest && v.contains(d, manifest)
	})
}
