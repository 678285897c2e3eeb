package serve

import (
	"bytes"
	"io"
	"mime"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/v1image"
)

// putManifest takes a manifest or index whose parts are all there, and gives it its name; distribution specification,
// "Pushing Manifests". One that is pushed by its digest gets a name with that digest, which keeps it, until an index of
// the repository does.
func (h *Handler) putManifest(w http.ResponseWriter, r *http.Request, to route) *answer {
	own, leave, a := h.enter(r, to.repo)
	if a != nil {
		return a
	}
	defer leave()
	p := &pushed{h: h, own: own}
	if a := p.read(r, to); a != nil {
		return a
	}
	if a := p.check(r); a != nil {
		return a
	}
	if err := p.keep(r.Context(), to); err != nil {
		return failed(err)
	}
	h.o.Logger.Info("pushed to the registry", "image", p.name(to), "digest", p.desc.Digest.String())
	if p.subject != nil {
		w.Header().Set("OCI-Subject", p.subject.Digest.String())
	}
	w.Header().Set("Location", "/v2/"+to.repo+"/manifests/"+p.desc.Digest.String())
	w.Header().Set("Docker-Content-Digest", p.desc.Digest.String())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// pushed is a manifest or index on its way in.
type pushed struct {
	h       *Handler
	own     string // the repository's name in the store
	raw     []byte
	desc    v1.Descriptor
	doc     document
	subject *v1.Descriptor
	config  *v1.ConfigFile // of an image
}

// name is what it will be called.
func (p *pushed) name(to route) string {
	if to.tag != "" {
		return p.own + ":" + to.tag
	}
	return p.own + "@" + p.desc.Digest.String()
}

// read reads the document of a request strictly.
func (p *pushed) read(r *http.Request, to route) *answer {
	if r.ContentLength > store.MaxDocument {
		return failed(store.ErrTooLarge)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, store.MaxDocument+1))
	if err != nil {
		return refuse(http.StatusBadRequest, manifestInvalid, "the request broke off")
	}
	if len(raw) > store.MaxDocument {
		return failed(store.ErrTooLarge)
	}
	mt, a := mediaTypeOf(r, raw)
	if a != nil {
		return a
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return failed(err)
	}
	if to.tag == "" && digest != to.digest {
		return refuse(http.StatusBadRequest, digestInvalid, "the manifest has the digest %s", digest)
	}
	p.raw, p.desc, p.doc.raw = raw, v1.Descriptor{MediaType: mt, Digest: digest, Size: size}, raw
	if mt.IsIndex() {
		if p.doc.index, err = store.DecodeIndex(raw, mt); err == nil {
			p.subject = p.doc.index.Subject
		}
	} else if p.doc.manifest, err = store.DecodeManifest(raw, mt); err == nil {
		p.subject = p.doc.manifest.Subject
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// mediaTypeOf is the type that a request gives its document, or if it gives none the document itself.
func mediaTypeOf(r *http.Request, raw []byte) (types.MediaType, *answer) {
	if said := r.Header.Get("Content-Type"); said != "" {
		mt, _, err := mime.ParseMediaType(said)
		if t := types.MediaType(mt); err == nil && (t.IsImage() || t.IsIndex()) {
			return t, nil
		}
		return "", refuse(http.StatusBadRequest, manifestInvalid, "media type %.100q is neither a manifest's nor an index's", said)
	}
	mt, err := v1image.MediaType(raw)
	if err != nil {
		return "", failed(err)
	}
	return mt, nil
}
