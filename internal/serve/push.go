package serve

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caisson-go/caisson/internal/registry"
)

// enter lets a request in that may push to a repository, and returns the repository's name in the store. What is
// pushed there is not collected before leave is called, nor soon after.
func (h *Handler) enter(r *http.Request, repo string) (own string, leave func(), a *answer) {
	own = h.o.Host + "/" + repo
	if ref, err := registry.Parse(own + ":x"); err != nil || ref.String() != own+":x" {
		return "", nil, refuse(http.StatusBadRequest, nameInvalid, "%.300q can not be pushed to", repo)
	}
	if a := h.may(r, own, Push); a != nil {
		return "", nil, a
	}
	leave, err := h.lease.enter(r.Context())
	if err != nil {
		return "", nil, failed(err)
	}
	return own, leave, nil
}

// startUpload begins an upload, or ends it at once: with a blob that another repository has, or with one that comes as
// the body; distribution specification, "Pushing blobs" and "Mounting a blob from another repository".
func (h *Handler) startUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	own, leave, a := h.enter(r, to.repo)
	if a != nil {
		return a
	}
	defer leave()
	q := r.URL.Query()
	if q.Has("mount") && h.mount(r, own, q.Get("mount"), q.Get("from")) {
		h.created(w, to.repo, q.Get("mount"))
		return nil
	}
	up, err := h.uploads.begin(r.Context(), h.s, to.repo, unblocker(w))
	if err != nil {
		return failed(err)
	}
	over := false
	if q.Has("digest") {
		over, a = h.finish(w, r, up, own)
	} else {
		h.progress(w, up, http.StatusAccepted)
	}
	h.uploads.give(up, over)
	return a
}

// unblocker ends the reading of a request's body.
func unblocker(w http.ResponseWriter) func() {
	c := http.NewResponseController(w)
	return func() { _ = c.SetReadDeadline(time.Unix(1, 0)) } // without deadlines the client ends it
}

// mount gives a repository a blob that the client may read already. That it could not is no error: it uploads it then.
func (h *Handler) mount(r *http.Request, own, digest, from string) bool {
	d, a := parseDigest(digest)
	if a != nil || from != "" && !validRepository(from) {
		return false
	}
	if from == "" && h.o.Auth != nil || h.mayRead(r, from, d) != nil {
		return false
	}
	blob, size, err := h.open(d)
	if err != nil {
		return false
	}
	blob.Close()
	if !h.s.HasBlob(d, size) {
		return false
	}
	h.lease.grant(own, d)
	return true
}

// created tells where a blob is now.
func (h *Handler) created(w http.ResponseWriter, repo, digest string) {
	w.Header().Set("Location", "/v2/"+repo+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
}

// progress tells how far an upload is. Without a byte the range is 0-0, as the format has no way to say so.
func (h *Handler) progress(w http.ResponseWriter, up *upload, status int) {
	for k, v := range position(up) {
		w.Header()[k] = v
	}
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
}

func position(up *upload) http.Header {
	header := http.Header{}
	header.Set("Location", "/v2/"+up.repo+"/blobs/uploads/"+up.id)
	header.Set("Docker-Upload-Uuid", up.id)
	header.Set("Range", fmt.Sprintf("0-%d", max(up.u.Size()-1, 0)))
	return header
}

// use takes the upload of a path into use for a client that may push, until do returns. Over then gives it up.
func (h *Handler) use(w http.ResponseWriter, r *http.Request, to route, do func(up *upload, own string) (over bool, a *answer)) *answer {
	own, leave, a := h.enter(r, to.repo)
	if a != nil {
		return a
	}
	defer leave()
	up, a := h.uploads.take(to.upload, to.repo, unblocker(w))
	if a != nil {
		return a
	}
	over, a := do(up, own)
	h.uploads.give(up, over)
	return a
}

// uploadStatus tells how far an upload is.
func (h *Handler) uploadStatus(w http.ResponseWriter, r *http.Request, to route) *answer {
	return h.use(w, r, to, func(up *upload, _ string) (bool, *answer) {
		h.progress(w, up, http.StatusNoContent)
		return false, nil
	})
}

// dropUpload gives an upload up.
func (h *Handler) dropUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	return h.use(w, r, to, func(*upload, string) (bool, *answer) {
		w.WriteHeader(http.StatusNoContent)
		return true, nil
	})
}

// patchUpload takes the next piece of an upload.
func (h *Handler) patchUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	return h.use(w, r, to, func(up *upload, _ string) (bool, *answer) {
		over, a := h.receive(r, up)
		if a == nil {
			h.progress(w, up, http.StatusAccepted)
		}
		return over, a
	})
}

// putUpload takes the last piece of an upload, which may be empty, and makes it a blob.
func (h *Handler) putUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	return h.use(w, r, to, func(up *upload, own string) (bool, *answer) { return h.finish(w, r, up, own) })
}

// finish takes the body of a request and makes the upload a blob.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, up *upload, own string) (over bool, a *answer) {
	digest, a := parseDigest(r.URL.Query().Get("digest"))
	if a != nil {
		return false, a
	}
	if over, a := h.receive(r, up); a != nil {
		return over, a
	}
	if err := up.u.Commit(r.Context(), digest); err != nil {
		return true, failed(err)
	}
	h.lease.grant(own, digest)
	h.created(w, up.repo, digest.String())
	return true, nil
}
