package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// FuzzRequest: whatever is asked for, the answer has the form of the specification, nothing of the client's making is
// left but names that are references of the own host, and every name leads to a whole image.
func FuzzRequest(f *testing.F) {
	s := newServer(f, Options{Push: true, Delete: true})
	img := must[v1.Image](f)(random.Image(500, 1))
	s.put("a/b:1", img)
	raw := string(must[[]byte](f)(img.RawManifest()))
	h := must[v1.Hash](f)(img.Digest()).String()
	for _, seed := range [][4]string{
		{"GET", "/v2/", "", ""}, {"GET", "/v2/_catalog?n=1&last=a", "", ""}, {"GET", "/v2/a/b/tags/list?n=2", "", ""},
		{"GET", "/v2/a/b/manifests/1", "", "*/*"}, {"HEAD", "/v2/docker.io/a/b/manifests/" + h, "", ""},
		{"PUT", "/v2/a/b/manifests/2", raw, "application/vnd.docker.distribution.manifest.v2+json"},
		{"DELETE", "/v2/a/b/manifests/2", "", ""}, {"POST", "/v2/a/b/blobs/uploads/?mount=" + h + "&from=a/b", "", ""},
		{"POST", "/v2/a/b/blobs/uploads/?digest=" + h, raw, ""}, {"PATCH", "/v2/a/b/blobs/uploads/x", "y", "0-0"},
		{"GET", "/v2/a/b/referrers/" + h + "?artifactType=x", "", ""}, {"GET", "/v2/a/b/blobs/sha256:%2e%2e", "", "bytes=0-1"},
		{"GET", "/v2/../index.json", "", ""}, {"GET", "/v2/a/b/blobs/..%2f..%2findex.json", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, target, body, header string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(method, " \x00") {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		for _, k := range []string{"Content-Type", "Content-Range", "Range", "Accept"} {
			r.Header.Set(k, header)
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 || w.Code < 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		isRange := w.Code == http.StatusRequestedRangeNotSatisfiable && method == http.MethodGet // net/http's own answer
		if w.Code >= 400 && method != http.MethodHead && !isRange {
			var e struct {
				Errors []struct{ Code, Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || len(e.Errors) != 1 || e.Errors[0].Code == "" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if method != http.MethodPut && method != http.MethodDelete {
			return
		}
		for _, d := range must[[]v1.Descriptor](t)(s.s.Entries()) {
			name := store.NameOf(d)
			ref, err := registry.Parse(name)
			if err != nil || ref.String() != name || ref.Host() != "localhost" && name != "docker.io/a/b:1" {
				t.Errorf("a name %q", name)
			}
			if _, err := s.s.Find(name, nil); err != nil {
				t.Error(err)
			}
		}
	})
}
