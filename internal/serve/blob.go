package serve

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// getBlob serves a blob, or a range of it; distribution specification, "Pulling blobs". It is open as long as that takes,
// so removing the image meanwhile does no harm.
func (h *Handler) getBlob(w http.ResponseWriter, r *http.Request, to route) *answer {
	if a := h.mayRead(r, to.repo, to.digest); a != nil {
		return a
	}
	blob, size, err := h.open(to.digest)
	if err != nil {
		return unknownIs(blobUnknown, err)
	}
	defer blob.Close()
	if h.o.Push && r.Method == http.MethodHead {
		// A client that pushes asks so, and sends what is not there. It relies on the answer.
		if leave, err := h.lease.enter(r.Context()); err == nil {
			defer leave()
		}
		if !h.s.HasBlob(to.digest, size) {
			return refuse(http.StatusNotFound, blobUnknown, "not in the store")
		}
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Docker-Content-Digest", to.digest.String())
	header.Set("ETag", `"`+to.digest.String()+`"`)
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, blob)
	return nil
}

// mayRead reports whether a request may read a blob: with Options.Auth one of the repository, without all there are.
func (h *Handler) mayRead(r *http.Request, repo string, digest v1.Hash) *answer {
	if h.o.Auth == nil {
		return nil
	}
	unknown := refuse(http.StatusNotFound, blobUnknown, "not in the repository")
	own := h.o.Host + "/" + repo
	if h.lease.granted(own, digest) {
		return h.may(r, own, Pull)
	}
	found, a := h.find(r, repo, Pull)
	if a != nil {
		if a.code == nameUnknown {
			return unknown
		}
		return a
	}
	has, err := h.hasPart(found.all(), digest)
	if err != nil {
		return failed(err)
	}
	if !has {
		return unknown
	}
	return nil
}

// open opens a blob.
func (h *Handler) open(digest v1.Hash) (io.ReadSeekCloser, int64, error) {
	rc, err := h.s.Blob(digest)
	if err != nil {
		return nil, 0, err
	}
	f, ok := rc.(*os.File)
	if !ok {
		rc.Close()
		return nil, 0, fs.ErrInvalid // the store's blobs are files
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}
