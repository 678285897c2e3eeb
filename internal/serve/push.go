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
	if q.Has("digest") {
		return h.finish(w, r, to, up, own)
	}
	h.progress(w, up, http.StatusAccepted)
	h.uploads.give(up, false)
	return nil
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

// use takes the upload of a path into use, for a client that may push.
func (h *Handler) use(w http.ResponseWriter, r *http.Request, to route) (*upload, string, func(), *answer) {
	own, leave, a := h.enter(r, to.repo)
	if a != nil {
		return nil, "", nil, a
	}
	up, a := h.uploads.take(to.upload, to.repo, unblocker(w))
	if a != nil {
		leave()
		return nil, "", nil, a
	}
	return up, own, leave, nil
}

// uploadStatus tells how far an upload is.
func (h *Handler) uploadStatus(w http.ResponseWriter, r *http.Request, to route) *answer {
	up, _, leave, a := h.use(w, r, to)
	if a != nil {
		return a
	}
	defer leave()
	defer h.uploads.give(up, false)
	h.progress(w, up, http.StatusNoContent)
	return nil
}

// dropUpload gives an upload up.
func (h *Handler) dropUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	up, _, leave, a := h.use(w, r, to)
	if a != nil {
		return a
	}
	defer leave()
	h.uploads.give(up, true)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// patchUpload takes the next piece of an upload.
func (h *Handler) patchUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	up, _, leave, a := h.use(w, r, to)
	if a != nil {
		return a
	}
	defer leave()
	over, a := h.receive(r, up)
	if a == nil {
		h.progress(w, up, http.StatusAccepted)
	}
	h.uploads.give(up, over)
	return a
}

// putUpload takes the last piece of an upload, which may be empty, and makes it a blob.
func (h *Handler) putUpload(w http.ResponseWriter, r *http.Request, to route) *answer {
	up, own, leave, a := h.use(w, r, to)
	if a != nil {
		return a
	}
	defer leave()
	return h.finish(w, r, to, up, own)
}

// finish takes the body of a request and makes the upload a blob.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, to route, up *upload, own string) *answer {
	digest, a := parseDigest(r.URL.Query().Get("digest"))
	if a != nil {
		h.uploads.give(up, false)
		return a
	}
	over, a := h.receive(r, up)
	if a != nil {
		h.uploads.give(up, over)
		return a
	}
	err := up.u.Commit(r.Context(), digest)
	if err == nil {
		h.lease.grant(own, digest)
	}
	h.uploads.give(up, true)
	if err != nil {
		return failed(err)
	}
	h.created(w, to.repo, digest.String())
	return nil
}
