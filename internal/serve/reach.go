package serve

import (
	"errors"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// maxWalk bounds the documents that are read for one request.
const maxWalk = 10_000

// walk calls visit for every manifest and index that the names of the repositories lead to and that is in the store,
// with its media type and digest, and its content. It ends when visit returns false. What is
// damaged is left out.
func (h *Handler) walk(repos []*repository, visit func(d v1.Descriptor, doc document) bool) error {
	seen := map[v1.Hash]bool{}
	var todo []v1.Descriptor
	more := false
	add := func(d v1.Descriptor) {
		switch {
		case seen[d.Digest] || !d.MediaType.IsImage() && !d.MediaType.IsIndex():
		case len(seen) == maxWalk:
			more = true
		default:
			seen[d.Digest] = true
			todo = append(todo, v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest}) // and no annotations
		}
	}
	for _, r := range repos {
		for _, e := range r.entries {
			add(e.desc)
		}
	}
	for len(todo) > 0 {
		d := todo[0]
		todo = todo[1:]
		doc, err := h.document(d)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrDigest) || errors.Is(err, store.ErrDocument) {
			continue
		}
		if err != nil {
			return err
		}
		if !visit(d, doc) {
			return nil
		}
		if doc.index != nil {
			for _, c := range doc.index.Manifests {
				add(c)
			}
		}
	}
	if more {
		return store.ErrTooLarge
	}
	return nil
}

// document is a manifest or an index.
type document struct {
	raw      []byte
	manifest *v1.Manifest
	index    *v1.IndexManifest
}

// document reads what a descriptor leads to.
func (h *Handler) document(d v1.Descriptor) (document, error) {
	raw, err := h.s.Document(d.Digest)
	if err != nil {
		return document{}, err
	}
	doc := document{raw: raw}
	if d.MediaType.IsIndex() {
		doc.index, err = store.DecodeIndex(raw, d.MediaType)
	} else {
		doc.manifest, err = store.DecodeManifest(raw, d.MediaType)
	}
	return doc, err
}

// byDigest finds a manifest or index of the repositories.
func (h *Handler) byDigest(repos []*repository, want v1.Hash) (v1.Descriptor, document, error) {
	var found v1.Descriptor
	var content document
	err := h.walk(repos, func(d v1.Descriptor, doc document) bool {
		if d.Digest != want {
			return true
		}
		found, content = d, doc
		return false
	})
	if err == nil && content.raw == nil {
		err = fs.ErrNotExist
	}
	return found, content, err
}

// hasPart reports whether a manifest of the repositories names a blob.
func (h *Handler) hasPart(repos []*repository, want v1.Hash) (bool, error) {
	found := false
	err := h.walk(repos, func(d v1.Descriptor, doc document) bool {
		found = d.Digest == want
		if m := doc.manifest; m != nil {
			found = found || m.Config.Digest == want
			for _, l := range m.Layers {
				found = found || l.Digest == want
			}
		}
		return !found
	})
	return found, err
}
