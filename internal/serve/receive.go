package serve

import (
	"net/http"
	"regexp"
	"strconv"

	"github.com/caisson-go/caisson/internal/store"
)

// contentRange is the header of a piece; distribution specification, "Pushing a blob in chunks". It is not that of RFC
// 9110.
var contentRange = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// receive adds the body of a request to an upload, and reports whether the upload is over, as it can not be continued.
func (h *Handler) receive(r *http.Request, up *upload) (over bool, a *answer) {
	want, a := h.expected(r, up)
	if a != nil {
		return false, a
	}
	if r.ContentLength > h.o.UploadBytes-up.u.Size() {
		return true, failed(store.ErrTooLarge)
	}
	before := up.u.Size()
	err := up.u.Append(r.Context(), r.Body, h.o.UploadBytes)
	got := up.u.Size() - before
	switch {
	case err != nil && up.u.Over():
		return true, failed(err)
	case err != nil:
		return false, refuse(http.StatusBadRequest, uploadInvalid, "the request broke off after %d bytes", got)
	case want >= 0 && got != want:
		return true, refuse(http.StatusBadRequest, sizeInvalid, "%d bytes came, and Content-Range has %d", got, want)
	}
	return false, nil
}

// expected reads how many bytes a piece has, -1 if the client does not say, and refuses one that does not begin where
// the upload ends.
func (h *Handler) expected(r *http.Request, up *upload) (int64, *answer) {
	said := r.Header.Get("Content-Range")
	if said == "" {
		return -1, nil
	}
	wrong := refuse(http.StatusRequestedRangeNotSatisfiable, uploadInvalid,
		"Content-Range is %.100q, and %d bytes have come", said, up.u.Size())
	wrong.header = position(up)
	m := contentRange.FindStringSubmatch(said)
	if m == nil {
		return 0, wrong
	}
	first, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits fit
	last, _ := strconv.ParseInt(m[2], 10, 64)
	if first != up.u.Size() || last < first {
		return 0, wrong
	}
	n := last - first + 1
	if r.ContentLength >= 0 && r.ContentLength != n {
		return 0, refuse(http.StatusBadRequest, sizeInvalid, "Content-Length is %d, and Content-Range has %d bytes", r.ContentLength, n)
	}
	return n, nil
}
