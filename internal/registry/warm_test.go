package registry

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// requests notes what is asked of a registry.
func (f *fake) requests() func() []string {
	var mu sync.Mutex
	var seen []string
	inner := f.hook
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		mu.Unlock()
		return inner != nil && inner(w, r)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := seen
		seen = nil
		return out
	}
}

// platforms is an index of images for two platforms, with an attestation.
func platforms(t testing.TB, archs ...string) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	for _, arch := range archs {
		p := v1.Platform{OS: "linux", Architecture: arch}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: forPlatform(t, p, arch), Descriptor: v1.Descriptor{Platform: &p}})
	}
	attestation := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	attestation = staticImage(t, attestation, "application/vnd.in-toto+json", []byte(`{"predicate":1}`))
	return mutate.AppendManifests(index, mutate.IndexAddendum{Add: attestation,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
}

// A pull of what is here costs one request at most, whether the name is that of an image or of an index.
func TestPullWarm(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	index := platforms(t, "amd64", "arm64")
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	image, _ := f.tag("image", f.image("image", layerOf("file", "x")))
	byTag := f.push("index:latest", index)
	for _, tc := range []struct {
		ref  string
		all  bool
		head int // requests with Always
	}{
		{image, false, 1}, {byTag, false, 1}, {byTag, true, 1}, {f.host + "/index@" + digest.String(), false, 0},
		{f.host + "/index@" + digest.String(), true, 0},
	} {
		s := newStore(t)
		o := f.options()
		o.AllPlatforms = tc.all
		first, err := Pull(t.Context(), s, tc.ref, o)
		if err != nil {
			t.Fatal(err)
		}
		requests := f.requests()
		for policy, want := range map[Policy]int{Missing: 0, Never: 0, Always: tc.head} {
			o.Policy = policy
			img, err := Pull(t.Context(), s, tc.ref, o)
			if err != nil || img.Digest != first.Digest {
				t.Errorf("%s, policy %d: %v", tc.ref, policy, err)
			}
			if got := requests(); len(got) != want || want == 1 && !strings.HasPrefix(got[0], "HEAD ") {
				t.Errorf("%s, all %v, policy %d: %q", tc.ref, tc.all, policy, got)
			}
		}
		f.hook = nil
	}
}

// A tag that moved costs what has changed; a registry that does not answer HEAD is asked with GET.
func TestPullMoved(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := f.image("moved", layerOf("a", "1"), layerOf("b", "2"))
	ref, _ := f.tag("moved", p)
	s := newStore(t)
	if _, err := Pull(t.Context(), s, ref, f.options()); err != nil {
		t.Fatal(err)
	}
	more := f.image("moved", layerOf("c", "3"))
	p.manifest.Layers = append(p.manifest.Layers, more.manifest.Layers...)
	p.config.RootFS.DiffIDs = append(p.config.RootFS.DiffIDs, more.config.RootFS.DiffIDs...)
	p.manifest.Config = v1.Descriptor{}
	_, d := f.tag("moved", p)
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return r.Method == http.MethodHead
	}
	requests := f.requests()
	o := f.options()
	o.Policy = Always
	img, err := Pull(t.Context(), s, ref, o)
	if err != nil || img.Digest != d.Digest {
		t.Fatalf("%v, %v", img.Digest, err)
	}
	if got := requests(); len(got) != 4 { // HEAD, GET, the configuration, the layer
		t.Errorf("requests: %q", got)
	}
}

func TestPullOffline(t *testing.T) {
	f := newFake(t)
	ref, _ := f.tag("offline", f.image("offline", layerOf("file", "x")))
	s := newStore(t)
	for _, policy := range []Policy{Missing, Always, Never} {
		o := f.options()
		o.Offline, o.Policy = true, policy
		if _, err := Pull(t.Context(), s, ref, o); !errors.Is(err, ErrOffline) || !errors.Is(err, fs.ErrNotExist) || f.hits.Load() != 0 {
			t.Errorf("not there, policy %d: %v", policy, err)
		}
	}
	if _, err := Pull(t.Context(), s, ref, f.options()); err != nil {
		t.Fatal(err)
	}
	hits := f.hits.Load()
	for _, policy := range []Policy{Missing, Always, Never} {
		o := f.options()
		o.Offline, o.Policy = true, policy
		if _, err := Pull(t.Context(), s, ref, o); err != nil || f.hits.Load() != hits {
			t.Errorf("there, policy %d: %v", policy, err)
		}
	}
}

// All images of an index come, byte for byte, and only ours is unpacked.
func TestPullAllPlatforms(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	index := platforms(t, "amd64", "arm64", "s390x")
	ref := f.push("all:latest", index)
	digest, _ := index.Digest()
	s := newStore(t)
	one := f.options()
	if _, err := Pull(t.Context(), s, ref, one); err != nil {
		t.Fatal(err)
	}
	all := one
	all.AllPlatforms = true
	img, err := Pull(t.Context(), s, ref, all) // the policy is Missing, and there is more to get
	if err != nil || img.Index != digest || read(t, img, "platform") != "amd64" {
		t.Fatalf("%+v, %v", img, err)
	}
	im, _ := index.IndexManifest()
	for _, d := range im.Manifests {
		raw, err := s.Document(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		m, err := store.DecodeManifest(raw, d.MediaType)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range append(m.Layers, m.Config) {
			if !s.HasBlob(l.Digest, l.Size) {
				t.Errorf("%s of %s is not there", l.Digest, d.Platform)
			}
		}
	}
	if layer.Supported {
		if n := len(visible(t, s)); n == 0 {
			t.Error("nothing is visible")
		}
		arm := f.options()
		arm.Platform = &v1.Platform{OS: "linux", Architecture: "arm64"}
		if _, err := s.ResolvePlatform(ref, arm.Platform); !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("arm64 was unpacked: %v", err)
		}
		// Unpacking it needs nothing from the registry.
		requests := f.requests()
		for _, arm.Offline = range []bool{false, true} {
			if img, err := Pull(t.Context(), s, ref, arm); err != nil || read(t, img, "platform") != "arm64" {
				t.Errorf("arm64: %v", err)
			}
		}
		if got := requests(); len(got) != 0 {
			t.Errorf("arm64 cost %q", got)
		}
	}
	// None for us: there is an image to be passed on, but none to run.
	none := f.options()
	none.AllPlatforms, none.Platform = true, &v1.Platform{OS: "linux", Architecture: "riscv64"}
	s = newStore(t)
	for range 2 {
		if img, err = Pull(t.Context(), s, ref, none); err != nil || img.Digest != digest || img.Layers != nil {
			t.Errorf("no image for the platform: %+v, %v", img, err)
		}
	}
}

// What an index must not lead to.
func TestPullAllRefuses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	_, d := f.tag("mutant", f.image("mutant", layerOf("a", "1")))
	strange := v1.Descriptor{MediaType: "application/x-strange", Digest: d.Digest, Size: d.Size}
	lost := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: other, Size: 2}
	many := []v1.Descriptor{}
	for i := range maxImages + 1 {
		p := f.image("mutant")
		p.config.Author = toString(int64(i))
		p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, toJSON(t, p.config))
		many = append(many, f.raw("mutant", toString(int64(i)), types.OCIManifestSchema1, toJSON(t, p.manifest)))
	}
	const size = 10_000 // each is within its bounds
	large := []v1.Descriptor{}
	for i := range 5 {
		p := f.image("mutant")
		config := toJSON(t, p.config)
		config = append(config, bytes.Repeat([]byte(" "), size-len(config))...)
		p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, config)
		p.manifest.Annotations = map[string]string{"n": toString(int64(i))}
		large = append(large, f.raw("mutant", "large"+toString(int64(i)), types.OCIManifestSchema1, toJSON(t, p.manifest)))
	}
	for name, tc := range map[string]struct {
		children []v1.Descriptor
		is       error
	}{
		"large":    {large, ErrTooLarge},
		"strange":  {[]v1.Descriptor{d, strange}, ErrMediaType},
		"missing":  {[]v1.Descriptor{d, lost}, fs.ErrNotExist},
		"too many": {many, ErrTooLarge},
	} {
		index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
		for i, c := range tc.children {
			if name == "strange" && i == 1 {
				c.Digest.Hex = strings.Repeat("1", 64)
			}
			c.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
			index.Manifests = append(index.Manifests, c)
		}
		b := toJSON(t, index)
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/manifests/index") {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_, _ = w.Write(b)
			return true
		}
		s := used(t)
		before := listing(t, s)
		o := f.options()
		o.AllPlatforms = true
		if name == "large" {
			o.documents = 5 * size // there are the manifests as well
		}
		_, err := Pull(t.Context(), s, f.host+"/mutant:index", o)
		var e *Error
		if !errors.Is(err, tc.is) || !errors.As(err, &e) || listing(t, s) != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With Missing, an image that is here but was pulled alone is completed.
func TestPullAllMissing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ref := f.push("all:latest", platforms(t, "amd64", "arm64"))
	s := newStore(t)
	o := f.options()
	o.AllPlatforms = true
	img, err := Pull(t.Context(), s, ref, o)
	if err != nil || img.Index == (v1.Hash{}) {
		t.Fatalf("%+v, %v", img, err)
	}
	arm, err := s.Find(ref, &v1.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	removeBlob(t, s, arm.Manifest.Layers[0].Digest)
	requests := f.requests()
	if _, err := Pull(t.Context(), s, ref, o); err != nil || !s.HasBlob(arm.Manifest.Layers[0].Digest, arm.Manifest.Layers[0].Size) {
		t.Errorf("not completed: %v", err)
	}
	if got := requests(); len(got) != 2 { // the tag and the layer
		t.Errorf("requests: %q", got)
	}
}
