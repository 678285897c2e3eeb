package store

import v1 "github.com/google/go-containerregistry/pkg/v1"

// Descriptor returns the entry of index.json that Resolve would find by this name or digest: an image, or an index of
// images for several platforms. Its name, if it has one, is in the annotation org.opencontainers.image.ref.name.
//
// Errors: *Error around fs.ErrNotExist, the errno.
func (s *Store) Descriptor(refOrDigest string) (v1.Descriptor, error) {
	d, err := s.find(refOrDigest)
	return d, wrap("resolve", refOrDigest, err)
}

// DecodeObject reads a JSON object under the rules of DecodeManifest: bounded, and without keys that two readers
// understand in two ways.
func DecodeObject(b []byte, into any) error { return decode(b, into) }
