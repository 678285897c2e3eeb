package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which index.json names an image; image specification, "annotations".
const refName = "org.opencontainers.image.ref.name"

const (
	maxIndex = 32 << 20
	maxRef   = 512
)

func emptyIndex() *v1.IndexManifest {
	return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
}

// readIndex reads index.json. It needs no lock: the file is only ever replaced as a whole.
func readIndex(root *os.Root) (*v1.IndexManifest, error) {
	f, err := root.Open("index.json")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxIndex {
		return nil, documentError("index.json has more than %d bytes", maxIndex)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, documentError("index.json: %v", err)
	}
	return &index, nil
}

func writeIndex(ctx context.Context, root *os.Root, index *v1.IndexManifest) error {
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return replaceFile(ctx, root, "index.json", b)
}

// Tag gives an image of the store a name, and takes the name from the image that had it. desc is the descriptor of its
// manifest, which must be there.
//
// Errors: *Error around ErrName, fs.ErrNotExist (no such manifest), ctx.Err(), the errno.
func (s *Store) Tag(ctx context.Context, ref string, desc v1.Descriptor) error {
	return wrap("tag", ref, s.tag(ctx, ref, desc))
}

func (s *Store) tag(ctx context.Context, ref string, desc v1.Descriptor) error {
	if !validRef(ref) {
		return ErrName
	}
	if err := checkDescriptor(desc); err != nil {
		return err
	}
	if !s.HasBlob(desc.Digest, desc.Size) {
		return fs.ErrNotExist
	}
	root, err := s.write(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	release, err := lock(ctx, root, "index")
	if err != nil {
		return err
	}
	defer release()
	index, err := readIndex(root)
	if err != nil {
		return err
	}
	desc.Annotations = map[string]string{refName: ref}
	desc.URLs, desc.Data = nil, nil
	kept := []v1.Descriptor{}
	for _, d := range index.Manifests {
		if d.Annotations[refName] != ref {
			kept = append(kept, d)
		}
	}
	index.Manifests = append(kept, desc)
	return writeIndex(ctx, root, index)
}

// validRef admits what the specification has for the annotation, letters, digits and -._:@/+ in components, without
// its finer points. Every reference of a registry is of that form.
func validRef(ref string) bool {
	if ref == "" || len(ref) > maxRef {
		return false
	}
	for _, c := range []byte(ref) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("-._:@/+[]", rune(c)) {
			return false
		}
	}
	return true
}

// find returns the entry of index.json for a name, or for a digest alone or behind an "@".
func (s *Store) find(ref string) (v1.Descriptor, error) {
	root, err := s.read()
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer root.Close()
	index, err := readIndex(root)
	if err != nil {
		return v1.Descriptor{}, err
	}
	for _, d := range index.Manifests {
		if d.Annotations[refName] == ref {
			return d, nil
		}
	}
	digest, err := v1.NewHash(ref[strings.LastIndexByte(ref, '@')+1:])
	if err != nil {
		return v1.Descriptor{}, fs.ErrNotExist
	}
	for _, d := range index.Manifests {
		if d.Digest == digest {
			return d, nil
		}
	}
	return v1.Descriptor{}, fs.ErrNotExist
}

// entries returns index.json's list; a store that is not there yet has none.
func (s *Store) entries() ([]v1.Descriptor, error) {
	root, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	index, err := readIndex(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return index.Manifests, nil
}
