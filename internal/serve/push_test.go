package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

func TestPushWithALibrary(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true, Delete: true})
	img := randomImage(t)
	for _, ref := range []string{"a/b:1", "library/alpine", "docker.io/library/alpine:2"} {
		if err := remote.Write(s.ref(ref), img); err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		got := must[v1.Image](t)(remote.Image(s.ref(ref)))
		same(t, ref, img, got)
		if err := validate.Image(got); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	h := must[v1.Hash](t)(img.Digest())
	for _, ref := range []string{"localhost/a/b:1", "localhost/library/alpine:latest", "localhost/docker.io/library/alpine:2"} {
		if got, err := s.s.Find(ref, nil); err != nil || got.Digest != h {
			t.Errorf("%s: %v, %v", ref, got.Digest, err)
		}
	}
	x := indexForHere(t)
	if err := remote.WriteIndex(s.ref("a/b:x"), x); err != nil {
		t.Fatal(err)
	}
	same(t, "index", x, must[v1.ImageIndex](t)(remote.Index(s.ref("a/b:x"))))
	entries := must[[]v1.Descriptor](t)(s.s.Entries())
	for _, d := range entries {
		if strings.Contains(store.NameOf(d), "@") {
			t.Errorf("an image that the index keeps has a name of its own: %s", store.NameOf(d))
		}
	}
	if err := remote.Delete(s.ref("a/b:1")); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(s.ref("a/b:1")); err == nil {
		t.Error("it is still there")
	}
	if err := remote.Delete(s.ref("a/b@" + must[v1.Hash](t)(x.Digest()).String())); err != nil {
		t.Fatal(err)
	}
	s.expect(s.do("GET", "/v2/a/b/tags/list", ""), http.StatusNotFound, nameUnknown)
	if _, err := s.s.Find("localhost/library/alpine:latest", nil); err != nil {
		t.Errorf("another name is gone too: %v", err)
	}
}

// A push never changes what the name of another host stands for.
func TestPushLeavesOtherHostsAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true, Delete: true})
	official, pushed := randomImage(t), randomImage(t)
	h := s.put("alpine", official)
	if err := remote.Write(s.ref("library/alpine"), pushed); err != nil {
		t.Fatal(err)
	}
	if got, err := s.s.Find("docker.io/library/alpine:latest", nil); err != nil || got.Digest != h {
		t.Errorf("%v, %v", got.Digest, err)
	}
	same(t, "what was pushed is pulled", pushed, must[v1.Image](t)(remote.Image(s.ref("library/alpine"))))
	same(t, "the other by its whole name", official, must[v1.Image](t)(remote.Image(s.ref("docker.io/library/alpine"))))
}

func TestPushByDigest(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true, Delete: true})
	img := randomImage(t)
	h := must[v1.Hash](t)(img.Digest())
	ref := s.ref("a/b@" + h.String())
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	if err := s.h.Close(); err != nil { // the push is over; nothing but its name keeps it
		t.Fatal(err)
	}
	if _, err := s.s.Prune(t.Context(), store.PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	same(t, "by digest", img, must[v1.Image](t)(remote.Image(ref)))
	if r := s.do("GET", "/v2/a/b/tags/list", ""); string(r.body) != `{"name":"a/b","tags":[]}` {
		t.Errorf("%s", r.body)
	}
	s.expect(s.do("DELETE", "/v2/a/b/manifests/"+h.String(), ""), http.StatusAccepted, "")
	s.expect(s.do("GET", "/v2/a/b/manifests/"+h.String(), ""), http.StatusNotFound, nameUnknown)
	s.expect(s.do("DELETE", "/v2/a/b/manifests/"+h.String(), ""), http.StatusNotFound, nameUnknown)
}

func TestPushUnpacks(t *testing.T) {
	t.Parallel()
	for _, unpack := range []bool{false, true} {
		s := newServer(t, Options{Push: true, Unpack: unpack})
		img := randomImage(t)
		cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
		cfg.Architecture = must[*v1.IndexManifest](t)(indexForHere(t).IndexManifest()).Manifests[1].Platform.Architecture
		img = must[v1.Image](t)(mutate.ConfigFile(img, cfg))
		if err := remote.Write(s.ref("a/b:1"), img); err != nil {
			t.Fatal(err)
		}
		if _, err := s.s.Resolve("localhost/a/b:1"); layer.Supported && (err == nil) != unpack {
			t.Errorf("unpack %v: %v", unpack, err)
		}
		bad := must[v1.Image](t)(mutate.Append(img, mutate.Addendum{Layer: staticLayer("no tar file"), MediaType: types.DockerUncompressedLayer}))
		err := remote.Write(s.ref("a/b:bad"), bad)
		if layer.Supported && unpack && (err == nil || !strings.Contains(err.Error(), string(manifestInvalid))) {
			t.Errorf("a layer that is no tar file: %v", err)
		}
		if err == nil && unpack && layer.Supported {
			t.Error("it has a name")
		}
	}
}

// T39: layers that are each within their bounds must not fill the disk together.
func TestPushUnpacksWithin(t *testing.T) {
	t.Parallel()
	if !layer.Supported {
		testneed.Feature(t, "unpack", errors.ErrUnsupported, "run on Linux")
	}
	img := must[v1.Image](t)(random.Image(1000, 3)) // each 2.5 kB as a tar file
	cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	img = must[v1.Image](t)(mutate.ConfigFile(img, cfg))
	for bytes, fits := range map[int64]bool{5000: false, 50_000: true} {
		s := newServer(t, Options{Push: true, Unpack: true})
		s.h.budget = func(layers []v1.Descriptor) *registry.Budget {
			if len(layers) != 3 {
				t.Errorf("the budget is for %d layers", len(layers))
			}
			return registry.NewBudget(bytes)
		}
		err := remote.Write(s.ref("a/b:1"), img)
		if fits && err != nil || !fits && (err == nil || !strings.Contains(err.Error(), string(sizeInvalid))) {
			t.Errorf("where %d bytes are allowed: %v", bytes, err)
		}
	}
}

func TestMount(t *testing.T) {
	s := newServer(t, Options{Push: true})
	img := randomImage(t)
	s.put("quay.io/from/here:1", img)
	l := must[[]v1.Layer](t)(img.Layers())[0]
	h := must[v1.Hash](t)(l.Digest()).String()
	for _, query := range []string{"?mount=" + h + "&from=from/here", "?mount=" + h} {
		r := s.expect(s.do("POST", "/v2/to/there/blobs/uploads/"+query, ""), http.StatusCreated, "")
		if r.Header.Get("Location") != "/v2/to/there/blobs/"+h {
			t.Errorf("%s: %v", query, r.Header)
		}
	}
	for _, query := range []string{"?mount=" + digestOf(t, "x") + "&from=from/here", "?mount=nothing&from=x", "?mount=" + h + "&from=../.."} {
		r := s.expect(s.do("POST", "/v2/to/there/blobs/uploads/"+query, ""), http.StatusAccepted, "")
		s.expect(s.do("DELETE", r.Header.Get("Location"), ""), http.StatusNoContent, "")
	}
}

func TestUploadInChunks(t *testing.T) {
	s := newServer(t, Options{Push: true})
	content := "0123456789"
	h := digestOf(t, content)
	start := func() string {
		r := s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "")
		if r.Header.Get("Range") != "0-0" || r.Header.Get("Docker-Upload-UUID") == "" {
			t.Errorf("%v", r.Header)
		}
		return r.Header.Get("Location")
	}
	at := start()
	r := s.expect(s.do("PATCH", at, content[:4], "Content-Range", "0-3"), http.StatusAccepted, "")
	if r.Header.Get("Range") != "0-3" || r.Header.Get("Location") != at {
		t.Errorf("%v", r.Header)
	}
	for _, wrong := range []string{"0-3", "5-6", "3-2", "x", "4-99999999999999999999", "bytes 4-5/6", "-1-4"} {
		r = s.expect(s.do("PATCH", at, content[4:6], "Content-Range", wrong), http.StatusRequestedRangeNotSatisfiable, uploadInvalid)
		if r.Header.Get("Range") != "0-3" || r.Header.Get("Location") != at {
			t.Errorf("%v", r.Header)
		}
	}
	s.expect(s.do("PATCH", at, content[4:6], "Content-Range", "4-9"), http.StatusBadRequest, sizeInvalid)
	r = s.expect(s.do("GET", at, ""), http.StatusNoContent, "")
	if r.Header.Get("Range") != "0-3" {
		t.Errorf("%v", r.Header)
	}
	s.expect(s.do("PATCH", at, content[4:6]), http.StatusAccepted, "")
	s.expect(s.do("PUT", at, content[6:], "Content-Range", "6-9"), http.StatusBadRequest, digestInvalid) // no digest: nothing is lost
	s.expect(s.do("PUT", at+"?digest="+h, content[6:], "Content-Range", "6-9"), http.StatusCreated, "")
	s.expect(s.do("GET", at, ""), http.StatusNotFound, uploadUnknown)
	if r := s.do("GET", "/v2/a/b/blobs/"+h, ""); string(r.body) != content {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	at = start()
	s.expect(s.do("GET", strings.Replace(at, "/a/b/", "/a/c/", 1), ""), http.StatusNotFound, uploadUnknown)
	s.expect(s.do("PUT", at+"?digest="+h, "other"), http.StatusBadRequest, digestInvalid)
	s.expect(s.do("GET", at, ""), http.StatusNotFound, uploadUnknown)
	at = start()
	s.expect(s.do("DELETE", at, ""), http.StatusNoContent, "")
	s.expect(s.do("DELETE", at, ""), http.StatusNotFound, uploadUnknown)
	s.expect(s.do("PATCH", "/v2/a/b/blobs/uploads/nothing", "x"), http.StatusNotFound, uploadUnknown)
	r = s.expect(s.do("POST", "/v2/a/b/blobs/uploads/?digest="+digestOf(t, "all"), "all"), http.StatusCreated, "")
	if r.Header.Get("Location") != "/v2/a/b/blobs/"+digestOf(t, "all") {
		t.Errorf("%v", r.Header)
	}
	s.expect(s.do("POST", "/v2/a/b/blobs/uploads?digest="+digestOf(t, ""), ""), http.StatusCreated, "")
	r = s.expect(s.do("POST", "/v2/a/b/blobs/uploads/?digest=sha256:x", "all"), http.StatusBadRequest, digestInvalid)
	s.expect(s.do("POST", "/v2/localhost:5000/b/blobs/uploads/", ""), http.StatusBadRequest, nameInvalid)
	_ = r
}

// putBlob pushes a blob and returns its digest.
func (s *server) putBlob(repo, content string) string {
	s.t.Helper()
	h := digestOf(s.t, content)
	s.expect(s.do("POST", "/v2/"+repo+"/blobs/uploads/?digest="+h, content), http.StatusCreated, "")
	return h
}

const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
)

func TestManifestsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`
	c := s.putBlob("a/b", config)
	empty := s.putBlob("a/b", "{}")
	descriptor := func(h string, n int) string {
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d}`, h, n)
	}
	manifest := func(config, layers string) string {
		return `{"schemaVersion":2,"config":` + config + `,"layers":[` + layers + `]}`
	}
	good := manifest(descriptor(c, len(config)), "")
	none := digestOf(t, "none")
	for what, tc := range map[string]struct {
		ref, mt, body string
		status        int
		code          code
	}{
		"no JSON":            {"1", ociManifest, "x", 400, manifestInvalid},
		"empty":              {"1", ociManifest, "", 400, manifestInvalid},
		"null":               {"1", ociManifest, "null", 400, manifestInvalid},
		"two kinds":          {"1", ociManifest, `{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}`, 400, manifestInvalid},
		"other type":         {"1", "text/plain", good, 400, manifestInvalid},
		"no type":            {"1", ";;", good, 400, manifestInvalid},
		"an index":           {"1", ociIndex, good, 400, manifestInvalid},
		"schema 1":           {"1", "application/vnd.docker.distribution.manifest.v1+json", good, 400, manifestInvalid},
		"type contradicts":   {"1", ociManifest, strings.Replace(good, "{", `{"mediaType":"`+dockerManifest+`",`, 1), 400, manifestInvalid},
		"no config":          {"1", ociManifest, manifest(descriptor(none, 4), ""), 400, manifestBlobUnknown},
		"config size":        {"1", ociManifest, manifest(descriptor(c, len(config)+1), ""), 400, manifestBlobUnknown},
		"no layer":           {"1", ociManifest, manifest(descriptor(c, len(config)), descriptor(none, 4)), 400, manifestBlobUnknown},
		"layers and diffids": {"1", ociManifest, manifest(descriptor(c, len(config)), descriptor(empty, 2)), 400, manifestInvalid},
		"no image":           {"1", ociManifest, manifest(descriptor(empty, 2), ""), 400, manifestInvalid},
		"other digest":       {none, ociManifest, good, 400, digestInvalid},
		"sha512":             {"1", ociManifest, manifest(descriptor("sha512:"+strings.Repeat("a", 128), 2), ""), 400, manifestInvalid},
		"no child":           {"1", ociIndex, `{"schemaVersion":2,"manifests":[` + descriptor(none, 4) + `]}`, 400, manifestBlobUnknown},
		"too large":          {"1", ociManifest, strings.Repeat(" ", store.MaxDocument+1), 413, sizeInvalid},
		"no tag":             {"-x", ociManifest, good, 404, manifestUnknown},
	} {
		r := s.do("PUT", "/v2/a/b/manifests/"+tc.ref, tc.body, "Content-Type", tc.mt)
		if r.StatusCode != tc.status || r.code() != tc.code {
			t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, r.body, tc.status, tc.code)
		}
	}
	if list := must[[]v1.Descriptor](t)(s.s.Entries()); len(list) != 0 {
		t.Errorf("%d names", len(list))
	}
	r := s.expect(s.do("PUT", "/v2/a/b/manifests/1", good, "Content-Type", ociManifest+"; charset=utf-8"), http.StatusCreated, "")
	if r.Header.Get("Docker-Content-Digest") != digestOf(t, good) || r.Header.Get("Location") != "/v2/a/b/manifests/"+digestOf(t, good) {
		t.Errorf("%v", r.Header)
	}
	s.expect(s.do("PUT", "/v2/a/b/manifests/2", good), http.StatusCreated, "")
	for _, tag := range []string{"1", "2"} {
		r = s.expect(s.do("GET", "/v2/a/b/manifests/"+tag, ""), http.StatusOK, "")
		if string(r.body) != good || r.Header.Get("Content-Type") != ociManifest {
			t.Errorf("%s: %s %s", tag, r.Header.Get("Content-Type"), r.body)
		}
	}
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	img := mutate.MediaType(randomImage(t), types.OCIManifestSchema1)
	h := must[v1.Hash](t)(img.Digest())
	r := s.expect(s.do("GET", "/v2/a/b/referrers/"+h.String(), ""), http.StatusOK, "")
	if string(r.body) != `{"schemaVersion":2,"mediaType":"`+ociIndex+`","manifests":[]}` || r.Header.Get("Content-Type") != ociIndex {
		t.Errorf("%s", r.body)
	}
	if err := remote.Write(s.ref("a/b:1"), img); err != nil {
		t.Fatal(err)
	}
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: must[int64](t)(img.Size())}
	about := must[v1.Image](t)(random.Image(100, 1))
	about = mutate.Subject(mutate.MediaType(about, types.OCIManifestSchema1), subject).(v1.Image)
	if err := remote.Write(s.ref("a/b@"+must[v1.Hash](t)(about.Digest()).String()), about); err != nil {
		t.Fatal(err)
	}
	list := must[v1.ImageIndex](t)(remote.Referrers(s.ref("a/b@" + h.String()).(name.Digest)))
	m := must[*v1.IndexManifest](t)(list.IndexManifest())
	if len(m.Manifests) != 1 || m.Manifests[0].Digest != must[v1.Hash](t)(about.Digest()) {
		t.Errorf("%+v", m)
	}
	r = s.expect(s.do("GET", "/v2/a/b/referrers/"+h.String()+"?artifactType=x", ""), http.StatusOK, "")
	if !bytes.Contains(r.body, []byte(`"manifests":[]`)) || r.Header.Get("OCI-Filters-Applied") != "artifactType" {
		t.Errorf("%s", r.body)
	}
}

func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	base := randomImage(t)
	var wg sync.WaitGroup
	for i := range 8 {
		img := must[v1.Image](t)(mutate.AppendLayers(base, must[v1.Layer](t)(random.Layer(5000, types.DockerLayer))))
		ref := s.ref(fmt.Sprintf("a/b:%d", i%6)) // two are pushed by two
		wg.Go(func() {
			if err := remote.Write(ref, img); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := s.s.Prune(t.Context(), store.PruneOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 6 {
		img, err := remote.Image(s.ref(fmt.Sprintf("a/b:%d", i)))
		if err != nil {
			t.Error(err)
			continue
		}
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	may := map[string]bool{}
	o := Options{Push: true, Delete: true, Auth: func(r *http.Request, repo string, a Action) error {
		user, _, _ := r.BasicAuth()
		switch {
		case user == "":
			return fmt.Errorf("who are you: %w", &Challenge{Header: `Basic realm="test"`})
		case may[user+" "+string(a)+" "+repo] || a == Ping || a == Catalog:
			return nil
		}
		return fs.ErrPermission
	}}
	s := newServer(t, o)
	secret, open := randomImage(t), randomImage(t)
	s.put("docker.io/secret/x:1", secret)
	s.put("docker.io/open/x:1", open)
	may["u pull docker.io/open/x"], may["u push localhost/mine"], may["u pull localhost/mine"] = true, true, true
	r := s.expect(s.do("GET", "/v2/", ""), http.StatusUnauthorized, unauthorized)
	if r.Header.Get("WWW-Authenticate") != `Basic realm="test"` {
		t.Errorf("%v", r.Header)
	}
	do := func(method, path, body string, headers ...string) reply {
		s.t.Helper()
		u := must[*url.URL](t)(url.Parse(s.http.URL + path))
		u.User = url.UserPassword("u", "p")
		return s.do(method, u.String(), body, headers...)
	}
	s.expect(do("GET", "/v2/", ""), http.StatusOK, "")
	s.expect(do("GET", "/v2/open/x/manifests/1", ""), http.StatusOK, "")
	for _, name := range []string{"secret/x", "docker.io/secret/x"} { // by whatever name
		s.expect(do("GET", "/v2/"+name+"/manifests/1", ""), http.StatusForbidden, denied)
		s.expect(do("GET", "/v2/"+name+"/tags/list", ""), http.StatusForbidden, denied)
	}
	r = s.expect(do("GET", "/v2/_catalog", ""), http.StatusOK, "")
	if string(r.body) != `{"repositories":["open/x"]}` {
		t.Errorf("%s", r.body)
	}
	hidden := must[v1.Hash](t)(must[[]v1.Layer](t)(secret.Layers())[0].Digest()).String()
	shown := must[v1.Hash](t)(must[[]v1.Layer](t)(open.Layers())[0].Digest()).String()
	s.expect(do("GET", "/v2/open/x/blobs/"+shown, ""), http.StatusOK, "")
	s.expect(do("GET", "/v2/open/x/blobs/"+hidden, ""), http.StatusNotFound, blobUnknown)
	s.expect(do("GET", "/v2/mine/blobs/"+hidden, ""), http.StatusNotFound, blobUnknown)
	s.expect(do("POST", "/v2/mine/blobs/uploads/?mount="+hidden+"&from=secret/x", ""), http.StatusAccepted, "")
	s.expect(do("POST", "/v2/mine/blobs/uploads/?mount="+hidden, ""), http.StatusAccepted, "")
	s.expect(do("POST", "/v2/mine/blobs/uploads/?mount="+shown+"&from=open/x", ""), http.StatusCreated, "")
	s.expect(do("POST", "/v2/theirs/blobs/uploads/", ""), http.StatusForbidden, denied)
	s.expect(do("DELETE", "/v2/open/x/manifests/1", ""), http.StatusForbidden, denied)
	// What a manifest names must be the client's: else a digest would be enough to read it.
	raw := must[[]byte](t)(secret.RawManifest())
	s.expect(do("PUT", "/v2/mine/manifests/1", string(raw), "Content-Type", dockerManifest), http.StatusBadRequest, manifestBlobUnknown)
	auth := remote.WithAuth(basic{})
	if err := remote.Write(s.ref("mine:2"), open, auth); err != nil {
		t.Error(err)
	}
	if _, err := remote.Image(s.ref("mine:2"), auth); err != nil {
		t.Error(err)
	}
	if err := remote.Write(s.ref("mine:3"), mutate.Annotations(secret, map[string]string{"a": "b"}).(v1.Image), auth); err != nil {
		t.Errorf("one that has the content may push it: %v", err)
	}
}

func TestIndexNeedsItsImages(t *testing.T) {
	s := newServer(t, Options{Push: true, Delete: true})
	x := indexForHere(t)
	if err := remote.WriteIndex(s.ref("a/b:x"), x); err != nil {
		t.Fatal(err)
	}
	child := must[*v1.IndexManifest](t)(x.IndexManifest()).Manifests[0].Digest.String()
	s.expect(s.do("DELETE", "/v2/a/b/manifests/"+child, ""), http.StatusMethodNotAllowed, unsupported)
	if _, err := s.s.Prune(t.Context(), store.PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	s.expect(s.do("GET", "/v2/a/b/manifests/"+child, ""), http.StatusOK, "")
	if _, err := s.s.Find("localhost/a/b@"+child, nil); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
