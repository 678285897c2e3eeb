package store

import (
	"encoding/json"

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
// lie in a layout too, and all that is asked of them is what must stay with them.
func readDocument(root disk, h v1.Hash) (document, error) {
	var d document
	b, err := readBlob(root, h)
	if err != nil {
		return d, err
	}
	if json.Unmarshal(b, &d) != nil {
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
	if json.Unmarshal(b, &c) != nil {
		return nil, nil
	}
	return c.RootFS.DiffIDs, nil
}

// reach is a set of objects: blobs, and unpacked layers by their diff ids.
type reach struct {
	blobs, layers map[v1.Hash]bool
}

func newReach() reach { return reach{map[v1.Hash]bool{}, map[v1.Hash]bool{}} }

// add puts a document into the set, and all that it leads to. What an index names need not be there; a document that
// is there and can not be read is an error, and so is one that is not and has to be.
func (r reach) add(root disk, h v1.Hash, mustBe bool) error {
	if r.blobs[h] {
		return nil
	}
	r.blobs[h] = true
	if !mustBe && !hasFile(root, h) {
		return nil
	}
	d, err := readDocument(root, h)
	if err != nil {
		return err
	}
	for _, l := range d.Layers {
		r.blobs[l.Digest] = true
	}
	for _, m := range d.Manifests {
		if err := r.add(root, m.Digest, false); err != nil {
			return err
		}
	}
	if d.Config == nil {
		return nil
	}
	r.blobs[d.Config.Digest] = true
	ids, err := readDiffIDs(root, d.Config.Digest)
	for _, id := range ids {
		r.layers[id] = true
	}
	return err
}
