package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// maxPageBytes bounds a page of referrers: clients read no more of a document.
const maxPageBytes = store.MaxDocument

// around is more than what is around a list of referrers.
const around = 1000

// listReferrers lists the manifests of a repository whose subject is a digest; distribution specification, "Listing
// Referrers". There being none is no error. As an answer has all annotations of all of them, it has no more than clients
// read of a document, and a Link header to the next page.
func (h *Handler) listReferrers(w http.ResponseWriter, r *http.Request, to route) *answer {
	found, a := h.find(r, to.repo, Pull)
	if a != nil && a.code != nameUnknown {
		return a
	}
	q := r.URL.Query()
	all, err := h.referrers(found.all(), to.digest, q.Get("artifactType"), q.Get("last"))
	if err != nil {
		return failed(err)
	}
	page, rest, err := h.referrersPage(all)
	if err != nil {
		return failed(err)
	}
	b, err := plainJSON(struct {
		SchemaVersion int64             `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}{2, types.OCIImageIndex, page})
	if err != nil {
		return failed(err)
	}
	if q.Get("artifactType") != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	if len(rest) > 0 {
		q.Set("last", all[len(all)-len(rest)-1].Digest.String())
		next := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.String()))
	}
	writeJSON(w, r, http.StatusOK, string(types.OCIImageIndex), b)
	return nil
}

// referrers finds what refers to a digest, of a type if that is not empty, in the order of the digests and after one of
// them. There are at most maxWalk, and nothing of their content is kept.
func (h *Handler) referrers(repos []*repository, subject v1.Hash, kind, last string) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	err := h.walk(repos, func(d v1.Descriptor, doc document) bool {
		m := doc.manifest
		if m == nil || m.Subject == nil || m.Subject.Digest != subject || kind != "" && kind != artifactType(m) {
			return true
		}
		if d.Digest.String() > last {
			all = append(all, v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest})
		}
		return true
	})
	slices.SortFunc(all, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	return all, err
}

// referrersPage describes as many referrers as there is room for, and returns the rest. Of one that has too much to say
// for a page of its own, only what it is is told.
func (h *Handler) referrersPage(all []v1.Descriptor) (page []json.RawMessage, rest []v1.Descriptor, err error) {
	left := h.page - around
	page = []json.RawMessage{} // not null
	for i, d := range all {
		doc, err := h.document(d)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrDigest) {
			continue // removed, or damaged, in the meantime
		}
		if err != nil {
			return nil, nil, err
		}
		d.Size = int64(len(doc.raw))
		d.ArtifactType, d.Annotations = artifactType(doc.manifest), doc.manifest.Annotations
		b, err := plainJSON(d)
		if err == nil && len(b) >= h.page-around {
			d.ArtifactType, d.Annotations = "", nil
			b, err = plainJSON(d)
		}
		if err != nil {
			return nil, nil, err
		}
		if left -= len(b) + len(","); left < 0 && len(page) > 0 || len(page) == maxPage {
			return page, all[i:], nil
		}
		page = append(page, b)
	}
	return page, nil, nil
}

// plainJSON encodes without the escapes for web pages, which make six bytes of one.
func plainJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

// artifactType is what a referrer says that it is: its artifactType, or else the type of its configuration.
func artifactType(m *v1.Manifest) string {
	if m.ArtifactType != "" {
		return m.ArtifactType
	}
	return string(m.Config.MediaType)
}
