package registry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

const digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// planned is what a pull makes of documents, by the ends of their paths. Nothing is stored.
func planned(t *testing.T, all bool, docs map[string]document) (*work, error) {
	t.Helper()
	s, err := store.Open(filepath.Join(os.TempDir(), "none", "none")) // which is only looked for
	if err != nil {
		t.Fatal(err)
	}
	o := Options{AllPlatforms: all, Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}, retryPause: time.Nanosecond,
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			for end, d := range docs {
				if strings.HasSuffix(r.URL.Path, end) {
					return &http.Response{StatusCode: 200, ContentLength: int64(len(d.raw)), Request: r, Body: io.NopCloser(bytes.NewReader(d.raw)),
						Header: http.Header{"Content-Type": {string(d.desc.MediaType)}}}, nil
				}
			}
			return &http.Response{StatusCode: 404, Request: r, Body: http.NoBody, Header: http.Header{}}, nil
		})}.withDefaults()
	r, err := Parse("registry.example/fuzz")
	if err != nil {
		t.Fatal(err)
	}
	p := &puller{s: s, ref: r, o: &o, c: newClient(r, &o), read: map[v1.Hash]document{}}
	w, err := p.plan(t.Context())
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Errorf("an error without a type: %v", err)
	}
	if err != nil {
		return nil, err
	}
	for _, l := range w.layers {
		if l.desc.Size < 0 || l.desc.Size > store.MaxBlob || l.desc.Digest.Algorithm != "sha256" || len(l.desc.Digest.Hex) != 64 {
			t.Errorf("a layer of %+v", l.desc)
		}
	}
	for _, d := range w.documents {
		if err := checkContent(d.desc, d.raw); err != nil {
			t.Error(err)
		}
	}
	return w, nil
}

// describe is a document with its descriptor.
func describe(mt types.MediaType, raw []byte) document {
	h, _ := hashOf("sha256", raw)
	return document{v1.Descriptor{MediaType: mt, Digest: h, Size: int64(len(raw))}, raw}
}

const goodConfig = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + digestA + `"]}}`

// T43: a manifest as the registry sends it.
func FuzzManifest(f *testing.F) {
	config := describe(types.OCIConfigJSON, []byte(goodConfig))
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c","digest":"`+
		config.desc.Digest.String()+`","size":`+toString(config.desc.Size)+`},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"`+
		digestA+`","size":1}]}`), true)
	f.Add([]byte(`{"schemaVersion":2,"layers":null}`), false)
	f.Fuzz(func(t *testing.T, b []byte, docker bool) {
		mt := types.OCIManifestSchema1
		if docker {
			mt = types.DockerManifestSchema2
		}
		w, err := planned(t, false, map[string]document{"/manifests/latest": describe(mt, b), config.desc.Digest.String(): config})
		if err == nil && len(w.layers) != 1 {
			t.Errorf("%d layers for one diff id", len(w.layers))
		}
	})
}

// T43: an index as the registry sends it, from which one image or all are taken.
func FuzzIndex(f *testing.F) {
	config := describe(types.OCIConfigJSON, []byte(`{"rootfs":{"type":"layers","diff_ids":[]}}`))
	image := describe(types.OCIManifestSchema1, []byte(`{"schemaVersion":2,"config":{"mediaType":"c","digest":"`+
		config.desc.Digest.String()+`","size":`+toString(config.desc.Size)+`},"layers":[]}`))
	child := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + image.desc.Digest.String() + `","size":` + toString(image.desc.Size)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[`+child+`,"platform":{"os":"linux","architecture":"amd64"}}]}`), true)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[`+child+`}]}`), false)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`), true)
	f.Fuzz(func(t *testing.T, b []byte, all bool) {
		w, err := planned(t, all, map[string]document{"/manifests/latest": describe(types.OCIImageIndex, b),
			image.desc.Digest.String(): image, config.desc.Digest.String(): config})
		if err == nil && len(w.documents) > 3 {
			t.Errorf("%d documents", len(w.documents))
		}
	})
}

// T43: a configuration as the registry sends it.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		config := describe(types.OCIConfigJSON, b)
		image := []byte(`{"schemaVersion":2,"config":{"mediaType":"c","digest":"` + config.desc.Digest.String() + `","size":` +
			toString(config.desc.Size) + `},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + digestA + `","size":1}]}`)
		w, err := planned(t, false, map[string]document{"/manifests/latest": describe(types.OCIManifestSchema1, image), config.desc.Digest.String(): config})
		if err == nil && (len(w.layers) != 1 || w.top.Digest == (v1.Hash{})) {
			t.Errorf("%d layers of %v", len(w.layers), w.top.Digest)
		}
	})
}

// What servers say in headers.
func FuzzHeaders(f *testing.F) {
	f.Add(`Bearer realm="https://a/b",service="c", Basic realm="d"`)
	f.Add(`Sun, 06 Nov 1994 08:49:37 GMT`)
	f.Add(`bytes 1-2/3`)
	f.Add(`</v2/x/tags/list?n=1>; rel="next"`)
	f.Fuzz(func(t *testing.T, s string) {
		if cs := challenges([]string{s, s}); len(cs) > maxChallenges {
			t.Errorf("%d challenges", len(cs))
		}
		if d := retryAfter(s, time.Unix(0, 0)); d < 0 || d > longest {
			t.Errorf("to be left alone for %v", d)
		}
		b := &blobReader{d: v1.Descriptor{Size: 100}, n: 50}
		if start, ok := b.rangeStart(&http.Response{Header: http.Header{"Content-Range": {s}}}); ok && (start < 0 || start > 50) {
			t.Errorf("a range from %d", start)
		}
		if n, ok := received(s); ok && n < 0 {
			t.Errorf("%d bytes received", n)
		}
		o := (&Options{}).withDefaults()
		e := newEndpoint("registry.example", "repo", false, nil, &o)
		l := list{e: e, path: "tags/list"}
		u := e.url("tags/list", nil)
		if next, err := l.next(u, s); err == nil && next != nil && (next.Host != u.Host || next.Scheme != u.Scheme || next.Path != u.Path) {
			t.Errorf("the next page is %s", next)
		}
	})
}
