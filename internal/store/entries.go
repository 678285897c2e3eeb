package store

import (
	"errors"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// NameOf is the name that an entry of index.json gives, "" if it gives none.
func NameOf(d v1.Descriptor) string { return d.Annotations[refName] }

// Entries lists what index.json has, in its order and without a look at what it leads to: descriptors of manifests and
// indexes, with names that NameOf tells. A store that is not there yet has none.
//
// Errors: *Error around ErrDocument, the errno.
func (s *Store) Entries() ([]v1.Descriptor, error) {
	root, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("list", s.dir, err)
	}
	defer root.Close()
	index, err := readIndex(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("list", s.dir, s.unreadable(err))
	}
	return index.Manifests, nil
}
