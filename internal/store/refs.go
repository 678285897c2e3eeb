package store

import (
	"errors"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// document is as much of a manifest, an index or a configuration as says what it refers to.
type document struct {
	Config    *v1.Descriptor  `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
	Manifests []v1.Descriptor `json:"manifests"`
}

type rootFS struct {
	RootFS struct {
		DiffIDs []v1.Hash `json:"diff_ids"`
	} `json:"rootfs"`
}

// readDocument reads the references of a document. What is no such document has none: artifacts of other kinds may
// lie in a layout too, and all that is asked of them is what must stay with them. Neither has what no image can be of.
func readDocument(root disk, h v1.Hash) (document, error) {
	var d document
	b, err := readBlob(root, h)
	if err != nil {
		return d, err
	}
	if decode(b, &d) != nil {
		return document{}, nil
	}
	return d, nil
}

// readDiffIDs reads the layers that a configuration names.
func readDiffIDs(root disk, h v1.Hash) ([]v1.Hash, error) {
	var c rootFS
	b, err := readBlob(root, h)
	if err != nil {
		return nil, err
	}
	if decode(b, &c) != nil {
		return nil, nil
	}
	return c.RootFS.DiffIDs, nil
}

// maxReach is how many documents below one another are followed: as many as there can be indexes, and a manifest.
const maxReach = maxIndexes + 1

// reach is a set of objects: blobs, and unpacked layers by their diff ids.
type reach struct {
	blobs, layers map[v1.Hash]bool

	read map[v1.Hash]int      // the documents that were followed, and how many below one another were at most
	held func(h v1.Hash) bool // reports a manifest that somebody needs whole wherever it is named; nil: nobody does
}

func newReach() reach {
	return reach{blobs: map[v1.Hash]bool{}, layers: map[v1.Hash]bool{}, read: map[v1.Hash]int{}}
}

// add puts a document into the set, and all that it leads to. What an index names need not be there, nor be what the
// index says: whoever made the index may have named anything. A document that is damaged is an error, and so is one
// that has to be there, or whose configuration has to be, and is not.
func (r reach) add(root disk, h v1.Hash, mustBe bool) error {
	type step struct {
		h    v1.Hash
		must bool
		left int
	}
	todo := []step{{h, mustBe, maxReach}}
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		r.blobs[t.h] = true
		if t.left <= r.read[t.h] {
			continue // followed already, at least as far
		}
		below, err := r.follow(root, t.h, t.must)
		if err != nil {
			return err
		}
		r.read[t.h] = t.left
		for _, d := range below {
			r.blobs[d.Digest] = true
			if d.MediaType.IsImage() || d.MediaType.IsIndex() {
				todo = append(todo, step{d.Digest, false, t.left - 1})
			}
		}
	}
	return nil
}

// follow puts what a document refers to into the set, and returns what it has for manifests.
func (r reach) follow(root disk, h v1.Hash, mustBe bool) ([]v1.Descriptor, error) {
	if !mustBe {
		if path, err := blobPath(h); err != nil || isAbsent(root, path) {
			return nil, nil
		}
	}
	if !mustBe && !isDocument(root, h) && !r.needs(h) {
		return nil, nil
	}
	d, err := readDocument(root, h)
	if err != nil {
		return nil, err
	}
	for _, l := range d.Layers {
		r.blobs[l.Digest] = true
	}
	if d.Config == nil {
		return d.Manifests, nil
	}
	r.blobs[d.Config.Digest] = true
	if !mustBe && !isDocument(root, d.Config.Digest) && !r.needs(h) {
		return d.Manifests, nil
	}
	ids, err := readDiffIDs(root, d.Config.Digest)
	for _, id := range ids {
		r.layers[id] = true
	}
	r.layers[coverID(ids)] = true
	return d.Manifests, err
}

func (r reach) needs(h v1.Hash) bool { return r.held != nil && r.held(h) }

func isAbsent(root disk, path string) bool {
	_, err := root.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// isDocument reports whether there is a blob that is not too large for a document. If that can not be told, reading it
// tells why.
func isDocument(root disk, h v1.Hash) bool {
	path, err := blobPath(h)
	if err != nil {
		return false
	}
	fi, err := root.Lstat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return fi.Mode().IsRegular() && fi.Size() <= MaxDocument
}
