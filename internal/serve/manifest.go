package serve

import (
	"bytes"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// getManifest serves a manifest or index, as it is and with the media type that it is stored with; distribution
// specification, "Pulling manifests".
func (h *Handler) getManifest(w http.ResponseWriter, r *http.Request, to route) *answer {
	d, doc, a := h.lookup(r, to)
	if a != nil {
		return a
	}
	if to.tag != "" {
		d, doc = h.forOldClient(r, d, doc)
	}
	header := w.Header()
	header.Set("Content-Type", string(d.MediaType))
	header.Set("Docker-Content-Digest", d.Digest.String())
	header.Set("ETag", `"`+d.Digest.String()+`"`)
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(doc.raw))
	return nil
}

// lookup finds what a path under manifests/ names.
func (h *Handler) lookup(r *http.Request, to route) (v1.Descriptor, document, *answer) {
	found, a := h.find(r, to.repo, Pull)
	if a != nil {
		return v1.Descriptor{}, document{}, a
	}
	if to.tag == "" {
		d, doc, err := h.byDigest(found.all(), to.digest)
		return d, doc, unknownIs(manifestUnknown, err)
	}
	e, _, a := found.tag(to.repo, to.tag)
	if a != nil {
		return v1.Descriptor{}, document{}, a
	}
	doc, err := h.document(e.desc)
	return e.desc, doc, unknownIs(manifestUnknown, err)
}

// unknownIs is failed with another code for what is not there.
func unknownIs(c code, err error) *answer {
	if err == nil {
		return nil
	}
	a := failed(err)
	if a.status == http.StatusNotFound {
		a.code = c
	}
	return a
}

// forOldClient gives a client that asks for a tag and knows manifests but no indexes the image of an index for Linux on
// this machine's architecture, as other registries do.
func (h *Handler) forOldClient(r *http.Request, d v1.Descriptor, doc document) (v1.Descriptor, document) {
	if doc.index == nil || !wantsOnlyImages(r.Header.Values("Accept")) {
		return d, doc
	}
	for _, m := range doc.index.Manifests {
		if !store.RunsHere(m.Platform) || !m.MediaType.IsImage() {
			continue
		}
		if inner, err := h.document(m); err == nil {
			return m, inner
		}
	}
	return d, doc
}

// wantsOnlyImages reads Accept headers.
func wantsOnlyImages(accept []string) bool {
	image := false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mt, _, err := mime.ParseMediaType(part)
		switch {
		case err != nil:
		case strings.HasSuffix(mt, "/*"), types.MediaType(mt).IsIndex():
			return false
		case types.MediaType(mt).IsImage():
			image = true
		}
	}
	return image
}

// deleteManifest takes the tag, or all names of the repository with the digest, from an image, and removes the image
// with the last name that it has in the store; distribution specification, "Content Management".
func (h *Handler) deleteManifest(w http.ResponseWriter, r *http.Request, to route) *answer {
	found, a := h.find(r, to.repo, Delete)
	if a != nil {
		return a
	}
	var names []string
	if to.tag != "" {
		e, _, a := found.tag(to.repo, to.tag)
		if a != nil {
			return a
		}
		names = []string{e.ref}
	} else if names, a = h.namesOf(found, to); a != nil {
		return a
	}
	for _, name := range names {
		if _, err := h.s.Remove(r.Context(), name, store.RemoveOptions{}); err != nil {
			return unknownIs(manifestUnknown, err)
		}
		h.o.Logger.Info("removed by the registry", "image", name)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// namesOf lists the names that a digest has in the first of the repositories that has it.
func (h *Handler) namesOf(found stands, to route) ([]string, *answer) {
	for _, repo := range found.all() {
		var names []string
		for _, e := range repo.entries {
			if e.desc.Digest == to.digest {
				names = append(names, e.ref)
			}
		}
		if len(names) > 0 {
			return slices.Compact(names), nil
		}
	}
	if _, _, err := h.byDigest(found.all(), to.digest); err != nil {
		return nil, unknownIs(manifestUnknown, err)
	}
	return nil, refuse(http.StatusMethodNotAllowed, unsupported, "it is part of an index; remove that")
}
