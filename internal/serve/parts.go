package serve

import (
	"fmt"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

const (
	// maxIndexes bounds the indexes that refer to indexes, as package registry does when it pulls.
	maxIndexes = 3

	// maxParts bounds the manifests that a pushed index leads to, in bytes together. They have a few kB each.
	maxParts = 64 << 20
)

// check refuses a document of which a part is not here, or not for the client to see, or not what it is said to be.
func (p *pushed) check(r *http.Request) *answer {
	c := partCheck{p: p, r: r, seen: map[part]bool{}, left: p.h.parts}
	if a := c.document(p.doc, 1); a != nil || p.doc.manifest == nil {
		return a
	}
	m := p.doc.manifest
	raw, err := p.h.s.Document(m.Config.Digest)
	if err == nil {
		p.config, err = store.DecodeConfig(raw, len(m.Layers))
	}
	if err != nil {
		a := failed(err)
		if a.code == manifestInvalid {
			a.message = fmt.Sprintf("only images are kept here: configuration: %.400s", err)
		}
		return a
	}
	return nil
}

// partCheck looks at all that a pushed document leads to. The manifests below an index may have come as blobs, of which
// nobody has looked at the content yet.
type partCheck struct {
	p    *pushed
	r    *http.Request
	seen map[part]bool
	left int64 // bytes of documents
}

// part is something that was looked at already. The size and the type are what the descriptor says.
type part struct {
	digest v1.Hash
	size   int64
	mt     types.MediaType // only of a document
}

// document checks what a manifest or index refers to.
func (c *partCheck) document(doc document, depth int) *answer {
	if m := doc.manifest; m != nil {
		for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
			if a := c.part(d); a != nil {
				return a
			}
		}
		return nil
	}
	if depth > maxIndexes {
		return refuse(http.StatusBadRequest, manifestInvalid, "indexes nested deeper than %d", maxIndexes)
	}
	for _, d := range doc.index.Manifests {
		if a := c.child(d, depth); a != nil {
			return a
		}
	}
	return nil
}

// child checks a manifest or index of an index, which must be what the index says that it is: others trust that.
func (c *partCheck) child(d v1.Descriptor, depth int) *answer {
	if err := c.r.Context().Err(); err != nil {
		return failed(err)
	}
	if a := c.part(d); a != nil {
		return a
	}
	if !d.MediaType.IsImage() && !d.MediaType.IsIndex() || d.Size > store.MaxDocument {
		return refuse(http.StatusBadRequest, manifestInvalid, "only images are kept here: %s in an index is %d bytes of %.100q",
			d.Digest, d.Size, d.MediaType)
	}
	said := part{d.Digest, d.Size, d.MediaType}
	if c.seen[said] {
		return nil
	}
	if c.left -= d.Size; c.left < 0 {
		return failed(store.ErrTooLarge)
	}
	doc, err := c.p.h.document(d)
	if err != nil {
		a := failed(err)
		if a.code == manifestInvalid {
			a.message = fmt.Sprintf("%s in an index: %.400s", d.Digest, err)
		}
		return a
	}
	c.seen[said] = true // what leads back to itself would need a digest of itself
	return c.document(doc, depth+1)
}

// part checks that a part is there, of its size, and one of the repository's if it matters whose it is. A part that is
// looked for is kept from now on.
func (c *partCheck) part(d v1.Descriptor) *answer {
	said := part{digest: d.Digest, size: d.Size}
	if c.seen[said] {
		return nil
	}
	unknown := refuse(http.StatusBadRequest, manifestBlobUnknown, "%s of %d bytes is not here; push it first", d.Digest, d.Size).
		detailed(map[string]any{"digest": d.Digest.String(), "size": d.Size})
	if !c.p.h.s.HasBlob(d.Digest, d.Size) {
		return unknown
	}
	theirs, err := c.p.h.theirs(c.r, c.p.own, d.Digest)
	if err != nil {
		return failed(err)
	}
	if !theirs {
		return unknown
	}
	c.seen[said] = true
	return nil
}

// theirs reports whether a client that may push to a repository may put a part into it: one that was pushed or mounted
// there, or that the client can read anyway. Else a digest would be enough to get at what others have.
func (h *Handler) theirs(r *http.Request, own string, digest v1.Hash) (bool, error) {
	if h.o.Auth == nil || h.lease.granted(own, digest) {
		return true, nil
	}
	repo := own[len(h.o.Host)+1:]
	if h.mayRead(r, repo, digest) == nil {
		return true, nil
	}
	repos, err := h.catalog()
	if err != nil {
		return false, err
	}
	return h.hasPart(h.stands(repos, repo)[0], digest)
}
