package serve

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// Handler serves a store as a registry. It is an http.Handler for the root of a host: the specification has no room for
// a prefix before /v2/.
type Handler struct {
	s       *store.Store
	o       Options
	uploads uploads
	lease   lease
	parts   int64                                         // maxParts
	page    int                                           // maxPageBytes
	budget  func(layers []v1.Descriptor) *registry.Budget // for what an image may be unpacked to
}

// New makes a Handler. Nothing is opened or written before a request asks for it. Close ends what pushes have begun.
//
// Errors: registry.ErrReference for a Host that can not be in a name.
func New(s *store.Store, o Options) (*Handler, error) {
	h := &Handler{s: s, o: o.withDefaults(), parts: maxParts, page: maxPageBytes, budget: registry.BudgetFor}
	if ref, err := registry.Parse(h.o.Host + "/x:x"); err != nil {
		return nil, err
	} else if ref.Host() != h.o.Host {
		return nil, &registry.Error{Op: "serve", Ref: h.o.Host, Err: registry.ErrReference,
			Hint: "a host has a dot or a colon, or is localhost"}
	}
	h.uploads.open = map[string]*upload{}
	h.uploads.idle, h.uploads.limit = h.o.UploadIdle, h.o.Uploads
	h.lease.idle, h.lease.begin = h.o.UploadIdle, s.Begin
	return h, nil
}

// Close drops the uploads in progress, and ends the requests that are sending them. Requests for uploads are refused
// afterwards; others are not affected. Call it when the server is shut down.
func (h *Handler) Close() error {
	h.uploads.close()
	h.lease.close()
	return nil
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	a := h.serve(w, r)
	if a == nil {
		return
	}
	if a.status >= http.StatusInternalServerError {
		h.o.Logger.Warn("registry request failed", "method", r.Method, "path", r.URL.Path, "err", a)
	}
	a.write(w, r)
}

// serve answers a request, or returns the answer that it gets instead.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) *answer {
	to, a := parse(r.URL.Path)
	if a != nil {
		return a
	}
	methods := h.methods(to.kind)
	do := methods[r.Method]
	if do == nil {
		return refuse(http.StatusMethodNotAllowed, unsupported, "%.20s is not served here", r.Method).
			with("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
	}
	return do(w, r, to)
}

type action func(http.ResponseWriter, *http.Request, route) *answer

// methods are those of a kind of path that the options allow.
func (h *Handler) methods(k kind) map[string]action {
	read := func(do action) map[string]action {
		return map[string]action{http.MethodGet: do, http.MethodHead: do}
	}
	switch k {
	case ping:
		return read(h.ping)
	case catalogPath:
		return read(h.listRepositories)
	case tagsPath:
		return read(h.listTags)
	case referrersPath:
		return read(h.listReferrers)
	case blobPath:
		return read(h.getBlob)
	case manifestPath:
		m := read(h.getManifest)
		if h.o.Push {
			m[http.MethodPut] = h.putManifest
		}
		if h.o.Delete {
			m[http.MethodDelete] = h.deleteManifest
		}
		return m
	}
	if !h.o.Push {
		return nil
	}
	if k == uploadsPath {
		return map[string]action{http.MethodPost: h.startUpload}
	}
	return map[string]action{http.MethodGet: h.uploadStatus, http.MethodPatch: h.patchUpload,
		http.MethodPut: h.putUpload, http.MethodDelete: h.dropUpload}
}

// may asks whether a request may do something.
func (h *Handler) may(r *http.Request, repository string, action Action) *answer {
	if h.o.Auth == nil {
		return nil
	}
	err := h.o.Auth(r, repository, action)
	if err == nil {
		return nil
	}
	var c *Challenge
	if errors.As(err, &c) {
		return refuse(http.StatusUnauthorized, unauthorized, "credentials are needed").with("WWW-Authenticate", c.Header)
	}
	return refuse(http.StatusForbidden, denied, "%s is not allowed", action)
}

// ping tells that this is a registry; distribution specification, "Determining Support".
func (h *Handler) ping(w http.ResponseWriter, r *http.Request, _ route) *answer {
	if a := h.may(r, "", Ping); a != nil {
		return a
	}
	writeJSON(w, r, http.StatusOK, "application/json", []byte("{}"))
	return nil
}
