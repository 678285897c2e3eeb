package registry

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// lengthError is an answer that announces another size than the blob has.
type lengthError struct {
	digest     v1.Hash
	have, want int64
}

// Error tells both sizes.
func (l *lengthError) Error() string {
	return fmt.Sprintf("%v: blob %s has %d bytes, not %d", store.ErrSize, l.digest, l.have, l.want)
}

// Unwrap is store.ErrSize.
func (l *lengthError) Unwrap() error { return store.ErrSize }

// ask sends one request for the part from b.n on.
func (b *blobReader) ask(e *endpoint) (io.ReadCloser, error) {
	r, err := e.request(http.MethodGet, "blobs/"+b.d.Digest.String(), nil, nil)
	if err != nil {
		return nil, err
	}
	want := []int{http.StatusOK}
	if b.n > 0 && !b.full {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(b.n, 10)+"-")
		want = append(want, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	}
	resp, err := e.do(b.ctx, r, want...)
	if err != nil {
		return nil, err
	}
	if err := b.align(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// errRange is the answer of a server that does not do ranges right. It is asked for the whole.
var errRange = errors.New("the answer is not the range that was asked for")

// align skips what is there already of an answer.
func (b *blobReader) align(resp *http.Response) error {
	start := int64(0)
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var ok bool
		if start, ok = b.rangeStart(resp); !ok {
			b.full = true
			return errRange
		}
	case http.StatusRequestedRangeNotSatisfiable:
		b.full = true
		return errRange
	default:
		if n := resp.ContentLength; n >= 0 && n != b.d.Size {
			return &lengthError{b.d.Digest, n, b.d.Size}
		}
	}
	if _, err := io.CopyN(io.Discard, resp.Body, b.n-start); err != nil {
		return &brokenError{redact(err)}
	}
	return nil
}

// rangeStart is where a part begins, if it is one that can be used: of the whole, and from b.n on or before.
// Source: RFC 9110, section 14.4.
func (b *blobReader) rangeStart(resp *http.Response) (int64, bool) {
	if mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mt == "multipart/byteranges" {
		return 0, false
	}
	var first, last int64
	span, size, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
	if _, err := fmt.Sscanf(span, "%d-%d", &first, &last); err != nil || !ok {
		return 0, false
	}
	whole := size == "*" || size == strconv.FormatInt(b.d.Size, 10)
	return first, whole && 0 <= first && first <= b.n && b.n <= last && last < b.d.Size
}
