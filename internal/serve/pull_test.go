package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/v1image"
)

func TestPullWithALibrary(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	img := randomImage(t)
	h := s.put("alpine", img)
	for _, ref := range []string{"library/alpine", "library/alpine:latest", "docker.io/library/alpine", "alpine", "docker.io/alpine",
		"library/alpine@" + h.String()} {
		got, err := remote.Image(s.ref(ref))
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		same(t, ref, img, got)
		if err := validate.Image(got); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	x := must[v1.ImageIndex](t)(random.Index(500, 1, 2))
	_ = must[v1.Hash](t)(v1image.ImportIndex(t.Context(), s.s, x, "quay.io/a/b:x", nil))
	got := must[v1.ImageIndex](t)(remote.Index(s.ref("a/b:x")))
	same(t, "index", x, got)
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	inner := must[*v1.IndexManifest](t)(x.IndexManifest()).Manifests[1].Digest
	if _, err := remote.Image(s.ref("a/b@" + inner.String())); err != nil {
		t.Errorf("an image of the index: %v", err)
	}
	tags := must[[]string](t)(remote.List(s.ref("a/b").Context()))
	if !slices.Equal(tags, []string{"x"}) {
		t.Errorf("tags %v", tags)
	}
	reg := must[name.Registry](t)(name.NewRegistry(s.host))
	repos := must[[]string](t)(remote.Catalog(t.Context(), reg))
	if !slices.Equal(repos, []string{"a/b", "library/alpine"}) {
		t.Errorf("catalog %v", repos)
	}
}

func TestNamesOfSeveralHosts(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Host: "here.example:5000"})
	one, two, three := randomImage(t), randomImage(t), randomImage(t)
	s.put("quay.io/a/b:1", one)
	s.put("ghcr.io/a/b:1", two)
	s.put("ghcr.io/a/b:2", two)
	s.put("quay.io/a/b:same", one)
	s.put("ghcr.io/a/b:same", one)
	s.put("here.example:5000/c:1", three)
	s.put("quay.io/c:1", one)
	r := s.expect(s.do("GET", "/v2/a/b/manifests/1", ""), http.StatusConflict, nameAmbiguous)
	if !bytes.Contains(r.body, []byte(`["ghcr.io/a/b:1","quay.io/a/b:1"]`)) {
		t.Errorf("the names are not listed: %s", r.body)
	}
	for ref, want := range map[string]v1.Image{
		"quay.io/a/b:1": one, "ghcr.io/a/b:1": two, "a/b:2": two, "a/b:same": one, "c:1": three, "quay.io/c:1": one,
		"a/b@" + must[v1.Hash](t)(two.Digest()).String(): two, "a/b@" + must[v1.Hash](t)(one.Digest()).String(): one,
	} {
		got, err := remote.Image(s.ref(ref))
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		same(t, ref, want, got)
	}
	s.expect(s.do("GET", "/v2/here.example:5000/c/manifests/1", ""), http.StatusOK, "")
	r = s.expect(s.do("GET", "/v2/a/b/tags/list", ""), http.StatusOK, "")
	if string(r.body) != `{"name":"a/b","tags":["1","2","same"]}` {
		t.Errorf("tags %s", r.body)
	}
	r = s.expect(s.do("GET", "/v2/_catalog", ""), http.StatusOK, "")
	if string(r.body) != `{"repositories":["a/b","c","ghcr.io/a/b","quay.io/a/b","quay.io/c"]}` {
		t.Errorf("catalog %s", r.body)
	}
}

func TestManifestAnswers(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	img := randomImage(t)
	h := s.put("a/b:1", img)
	raw := must[[]byte](t)(img.RawManifest())
	for _, method := range []string{"GET", "HEAD"} {
		for _, ref := range []string{"1", h.String()} {
			r := s.expect(s.do(method, "/v2/a/b/manifests/"+ref, "", "Accept", "application/json"), http.StatusOK, "")
			if method == "GET" && !bytes.Equal(r.body, raw) || method == "HEAD" && len(r.body) != 0 {
				t.Errorf("%s %s: %s", method, ref, r.body)
			}
			if r.Header.Get("Docker-Content-Digest") != h.String() || r.ContentLength != int64(len(raw)) ||
				r.Header.Get("Content-Type") != "application/vnd.docker.distribution.manifest.v2+json" {
				t.Errorf("%s %s: %v", method, ref, r.Header)
			}
		}
	}
	s.expect(s.do("GET", "/v2/a/b/manifests/1", "", "If-None-Match", `"`+h.String()+`"`), http.StatusNotModified, "")
	other := digestOf(t, "other")
	for path, want := range map[string]code{
		"/v2/a/b/manifests/2":        manifestUnknown,
		"/v2/a/b/manifests/" + other: manifestUnknown,
		"/v2/a/b/manifests/.x":       manifestUnknown,
		"/v2/a/c/manifests/1":        nameUnknown,
		"/v2/a/b/blobs/" + other:     blobUnknown,
		"/v2/a/c/tags/list":          nameUnknown,
		"/v2/a/b/what/ever":          nameUnknown,
		"/v1/":                       nameUnknown,
		"/v2a":                       nameUnknown,
	} {
		s.expect(s.do("GET", path, ""), http.StatusNotFound, want)
		s.expect(s.do("HEAD", path, ""), http.StatusNotFound, "")
	}
	upper := strings.ToUpper(h.Hex)
	for path, want := range map[string]code{
		"/v2/A/B/manifests/1":                            nameInvalid,
		"/v2/a/../b/manifests/1":                         nameInvalid,
		"/v2/a//b/manifests/1":                           nameInvalid,
		"/v2//manifests/1":                               nameInvalid,
		"/v2/a%2f..%2fb/manifests/1":                     nameInvalid,
		"/v2/a%00/manifests/1":                           nameInvalid,
		"/v2/" + strings.Repeat("a", 300) + "/tags/list": nameInvalid,
		"/v2/a/b/manifests/sha256:" + upper:              digestInvalid,
		"/v2/a/b/manifests/sha512:" + h.Hex:              digestInvalid,
		"/v2/a/b/blobs/sha256:..":                        digestInvalid,
		"/v2/a/b/blobs/index.json":                       digestInvalid,
		"/v2/a/b/referrers/x":                            digestInvalid,
	} {
		r := s.do("GET", path, "")
		if r.StatusCode != http.StatusBadRequest || r.code() != want {
			t.Errorf("%s: %d %s, want %s", path, r.StatusCode, r.body, want)
		}
	}
	for method, path := range map[string]string{"PUT": "/v2/a/b/manifests/1", "DELETE": "/v2/a/b/manifests/1",
		"POST": "/v2/a/b/blobs/uploads/", "PATCH": "/v2/a/b/blobs/uploads/x"} {
		s.expect(s.do(method, path, ""), http.StatusMethodNotAllowed, unsupported)
	}
	r := s.expect(s.do("DELETE", "/v2/a/b/blobs/"+other, ""), http.StatusMethodNotAllowed, unsupported)
	if r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow: %q", r.Header.Get("Allow"))
	}
	r = s.expect(s.do("GET", "/v2/", ""), http.StatusOK, "")
	if r.Header.Get("Docker-Distribution-API-Version") != "registry/2.0" {
		t.Errorf("%v", r.Header)
	}
	s.expect(s.do("GET", "/v2", ""), http.StatusOK, "")
}

func TestBlobRanges(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	img := randomImage(t)
	s.put("a/b:1", img)
	l := must[[]v1.Layer](t)(img.Layers())[0]
	h := must[v1.Hash](t)(l.Digest())
	size := must[int64](t)(l.Size())
	path := "/v2/a/b/blobs/" + h.String()
	whole := s.expect(s.do("GET", path, ""), http.StatusOK, "")
	if int64(len(whole.body)) != size || digestOf(t, string(whole.body)) != h.String() {
		t.Error("another blob")
	}
	if whole.Header.Get("Docker-Content-Digest") != h.String() || whole.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v", whole.Header)
	}
	r := s.expect(s.do("HEAD", path, ""), http.StatusOK, "")
	if r.ContentLength != size || r.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", r.Header)
	}
	r = s.expect(s.do("GET", path, "", "Range", "bytes=10-19"), http.StatusPartialContent, "")
	if !bytes.Equal(r.body, whole.body[10:20]) || r.Header.Get("Content-Range") != fmt.Sprintf("bytes 10-19/%d", size) {
		t.Errorf("%v", r.Header)
	}
	r = s.expect(s.do("GET", path, "", "Range", "bytes=100-"), http.StatusPartialContent, "")
	if !bytes.Equal(r.body, whole.body[100:]) {
		t.Error("another rest")
	}
	s.expect(s.do("GET", path, "", "Range", fmt.Sprintf("bytes=%d-", size+1)), http.StatusRequestedRangeNotSatisfiable, "")
}

func TestPaging(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	img := randomImage(t)
	var want []string
	for _, tag := range []string{"1", "2", "3", "4", "A", "b", "latest"} {
		s.put("a/b:"+tag, img)
		want = append(want, tag)
	}
	var got []string
	path := "/v2/a/b/tags/list?n=3"
	for pages := 0; path != ""; pages++ {
		if pages > 3 {
			t.Fatal("no end")
		}
		r := s.expect(s.do("GET", path, ""), http.StatusOK, "")
		var list struct{ Tags []string }
		if err := json.Unmarshal(r.body, &list); err != nil {
			t.Fatal(err)
		}
		got = append(got, list.Tags...)
		path = ""
		if link := r.Header.Get("Link"); link != "" {
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for query, tags := range map[string]string{
		"?n=0": "[]", "?last=b": `["latest"]`, "?last=B": `["b","latest"]`, "?last=zzz": "[]", "?n=1&last=1": `["2"]`,
		"?n=99999999": `["1","2","3","4","A","b","latest"]`,
	} {
		r := s.expect(s.do("GET", "/v2/a/b/tags/list"+query, ""), http.StatusOK, "")
		if string(r.body) != `{"name":"a/b","tags":`+tags+`}` {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	for _, query := range []string{"?n=-1", "?n=x", "?n=9999999999999999999999"} {
		s.expect(s.do("GET", "/v2/a/b/tags/list"+query, ""), http.StatusBadRequest, pageInvalid)
		s.expect(s.do("GET", "/v2/_catalog"+query, ""), http.StatusBadRequest, pageInvalid)
	}
	r := s.do("GET", "/v2/_catalog?n=1&last=z", "")
	if string(r.body) != `{"repositories":[]}` {
		t.Errorf("%s", r.body)
	}
}

// A client that knows no indexes gets the image for this machine.
func TestOldClients(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	x := indexForHere(t)
	h := must[v1.Hash](t)(v1image.ImportIndex(t.Context(), s.s, x, "a/b:1", nil))
	const image, index = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	for accept, want := range map[string]string{image: "image", image + ", " + index: "index", "*/*": "index", "": "index"} {
		r := s.expect(s.do("GET", "/v2/a/b/manifests/1", "", "Accept", accept), http.StatusOK, "")
		got := "image"
		if r.Header.Get("Docker-Content-Digest") == h.String() {
			got = "index"
		}
		if got != want || digestOf(t, string(r.body)) != r.Header.Get("Docker-Content-Digest") {
			t.Errorf("Accept %q: an %s", accept, got)
		}
	}
	r := s.do("GET", "/v2/a/b/manifests/"+h.String(), "", "Accept", image)
	if r.Header.Get("Docker-Content-Digest") != h.String() {
		t.Error("by digest it is another")
	}
}

// Removing an image while it is being read does the reader no harm.
func TestRemovedWhileRead(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	img := must[v1.Image](t)(random.Image(16<<20, 1))
	s.put("a/b:1", img)
	l := must[[]v1.Layer](t)(img.Layers())[0]
	h := must[v1.Hash](t)(l.Digest())
	resp, err := s.http.Client().Get(s.http.URL + "/v2/a/b/blobs/" + h.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := s.s.Remove(t.Context(), "docker.io/a/b:1", store.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	got, _, err := v1.SHA256(resp.Body)
	if err != nil || got != h {
		t.Errorf("%v, %v", got, err)
	}
	s.expect(s.do("GET", "/v2/a/b/blobs/"+h.String(), ""), http.StatusNotFound, blobUnknown)
}
