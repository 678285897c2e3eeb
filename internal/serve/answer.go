package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// code is an error code of the distribution specification, "Error Codes".
type code string

const (
	blobUnknown         code = "BLOB_UNKNOWN"
	uploadInvalid       code = "BLOB_UPLOAD_INVALID"
	uploadUnknown       code = "BLOB_UPLOAD_UNKNOWN"
	digestInvalid       code = "DIGEST_INVALID"
	manifestBlobUnknown code = "MANIFEST_BLOB_UNKNOWN"
	manifestInvalid     code = "MANIFEST_INVALID"
	manifestUnknown     code = "MANIFEST_UNKNOWN"
	nameInvalid         code = "NAME_INVALID"
	nameUnknown         code = "NAME_UNKNOWN"
	sizeInvalid         code = "SIZE_INVALID"
	unauthorized        code = "UNAUTHORIZED"
	denied              code = "DENIED"
	unsupported         code = "UNSUPPORTED"
	tooManyRequests     code = "TOOMANYREQUESTS"

	// Codes beyond the specification, which clients take for any other.
	nameAmbiguous code = "NAME_AMBIGUOUS"
	pageInvalid   code = "PAGINATION_NUMBER_INVALID"
	internal      code = "UNKNOWN"
)

// answer is a request's end that is not what it asked for.
type answer struct {
	status  int
	code    code
	message string
	detail  any
	header  http.Header
	err     error // for the log; the client does not see it
}

// Error is for the log.
func (a *answer) Error() string {
	if a.err != nil {
		return fmt.Sprintf("%d %s: %s: %v", a.status, a.code, a.message, a.err)
	}
	return fmt.Sprintf("%d %s: %s", a.status, a.code, a.message)
}

func refuse(status int, c code, format string, args ...any) *answer {
	return &answer{status: status, code: c, message: fmt.Sprintf(format, args...)}
}

// detailed adds what a program may read.
func (a *answer) detailed(detail any) *answer { a.detail = detail; return a }

// with adds a header.
func (a *answer) with(key, value string) *answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
	return a
}

// failed is the answer for an error of the store. What it says of this machine's files is not for the client.
func failed(err error) *answer {
	var a *answer
	var limit *layer.LimitError
	var unpack *layer.Error
	switch {
	case errors.As(err, &a):
		return a
	case errors.Is(err, store.ErrDigest):
		return refuse(http.StatusBadRequest, digestInvalid, "the content does not match the digest")
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, registry.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, sizeInvalid, "larger than allowed here")
	case errors.Is(err, store.ErrSize):
		return refuse(http.StatusBadRequest, sizeInvalid, "the content does not have the size said")
	case errors.Is(err, store.ErrDocument), errors.Is(err, registry.ErrMediaType), errors.As(err, &limit), errors.As(err, &unpack):
		return refuse(http.StatusBadRequest, manifestInvalid, "%.500s", err)
	case errors.Is(err, errors.ErrUnsupported):
		return refuse(http.StatusBadRequest, unsupported, "only sha256 digests are served here")
	case errors.Is(err, store.ErrInUse):
		return refuse(http.StatusConflict, denied, "the image is in use")
	case errors.Is(err, syscall.ENOSPC):
		return &answer{status: http.StatusInsufficientStorage, code: internal, message: "the disk is full", err: err}
	case errors.Is(err, fs.ErrNotExist):
		return refuse(http.StatusNotFound, manifestUnknown, "not in the store")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusRequestTimeout, internal, "the request was given up")
	}
	return &answer{status: http.StatusInternalServerError, code: internal, message: "the store failed", err: err}
}

// write sends the answer.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for k, v := range a.header {
		h[k] = v
	}
	h.Del("Docker-Content-Digest")
	type wireError struct {
		Code    code   `json:"code"`
		Message string `json:"message"`
		Detail  any    `json:"detail,omitempty"`
	}
	b, err := json.Marshal(map[string][]wireError{"errors": {{a.code, a.message, a.detail}}})
	if err != nil { // the details are plain data
		b = []byte(`{"errors":[{"code":"UNKNOWN"}]}`)
	}
	writeJSON(w, r, a.status, "application/json", b)
}

// writeJSON sends a document, or its head alone.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, mediaType string, b []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", fmt.Sprint(len(b)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // a client that is gone needs no answer
	}
}
