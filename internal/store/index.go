package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
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
func readIndex(root disk) (*v1.IndexManifest, error) {
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

// writeIndex replaces index.json. The caller holds its lock. What readIndex would not read is not written.
func writeIndex(ctx context.Context, root disk, index *v1.IndexManifest) error {
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if len(b) > maxIndex {
		return &Error{Op: "write", Path: "index.json", Err: fmt.Errorf("%w: it would have %d bytes, and %d are", ErrTooLarge, len(b), maxIndex),
			Hint: "remove images or names that are not needed"}
	}
	err = replaceFile(ctx, root, "index.json", b)
	if isFull(err) {
		return writeSpare(root, b)
	}
	if err == nil {
		keepSpare(root, len(b))
	}
	return err
}

// Tag gives an image of the store a name, and takes the name from the image that had it, which stays as a dangling one
// if it had no other. desc is the descriptor of a manifest, which must be there with its parts, or of an index.
//
// Errors: *Error around ErrName, fs.ErrNotExist (no such manifest, or a part of it is missing), ErrDocument (a media type
// beyond all measure), ErrTooLarge (there are too many names), ctx.Err(), the errno.
func (s *Store) Tag(ctx context.Context, ref string, desc v1.Descriptor) error {
	return wrap("tag", ref, s.denied(s.tag(ctx, ref, desc)))
}

func (s *Store) tag(ctx context.Context, ref string, desc v1.Descriptor) error {
	if !validRef(ref) {
		return ErrName
	}
	if err := checkDescriptor(desc); err != nil {
		return err
	}
	if len(desc.MediaType) > maxMediaType {
		return documentError("the media type has %d bytes, more than %d", len(desc.MediaType), maxMediaType)
	}
	root, err := s.write(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	// Nothing of the image may be collected between the look at it and its name.
	release, err := lockShared(ctx, root)
	if err != nil {
		return err
	}
	defer release()
	if err := complete(root, desc); err != nil {
		return err
	}
	// What was found to be there may be the work of another process that has not come to this yet.
	if err := root.SyncDir("blobs/sha256"); err != nil {
		return err
	}
	desc = slim(desc)
	desc.Annotations = map[string]string{refName: ref}
	return s.changeNames(ctx, root, func(index *v1.IndexManifest) error {
		index.Manifests = append(without(index.Manifests, ref, desc.Digest), desc)
		return nil
	})
}

// without takes a name from a list. An image that had no other stays in it without one, unless it is keep's.
func without(list []v1.Descriptor, ref string, keep v1.Hash) []v1.Descriptor {
	kept := []v1.Descriptor{}
	for i, d := range list {
		same := func(o v1.Descriptor) bool { return o.Digest == d.Digest }
		switch {
		case d.Annotations[refName] == "" && d.Digest == keep:
			continue // it gets a name
		case d.Annotations[refName] != ref:
		case d.Digest == keep || slices.ContainsFunc(list[i+1:], same) || slices.ContainsFunc(kept, same):
			continue
		default:
			d.Annotations = nil
		}
		kept = append(kept, d)
	}
	return kept
}

// complete refuses a manifest of which something is missing. Of an index nothing but itself has to be there.
func complete(root disk, desc v1.Descriptor) error {
	path, err := blobPath(desc.Digest)
	if err != nil {
		return err
	}
	if fi, err := root.Lstat(path); err != nil {
		return err
	} else if !fi.Mode().IsRegular() || fi.Size() != desc.Size {
		return fs.ErrNotExist
	}
	if !desc.MediaType.IsImage() {
		return nil
	}
	m, err := readDocument(root, desc.Digest)
	if err != nil || m.Config == nil {
		return err
	}
	if !hasFile(root, m.Config.Digest) {
		return fmt.Errorf("%w: configuration %s", fs.ErrNotExist, m.Config.Digest)
	}
	for _, l := range m.Layers {
		if !hasFile(root, l.Digest) {
			return fmt.Errorf("%w: layer %s", fs.ErrNotExist, l.Digest)
		}
	}
	return nil
}

// changeIndex replaces index.json by what change makes of it.
func changeIndex(ctx context.Context, root disk, change func(*v1.IndexManifest) error) error {
	release, err := lock(ctx, root, "index")
	if err != nil {
		return err
	}
	defer release()
	index, err := readIndex(root)
	if err != nil {
		return err
	}
	if err := change(index); err != nil {
		return err
	}
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
