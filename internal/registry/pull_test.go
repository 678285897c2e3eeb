package registry

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// read reads a file of an image's top layer.
func read(t testing.TB, img store.Image, name string) string {
	t.Helper()
	if !layer.Supported {
		t.Skip("needs unpacked layers (remedy: run on Linux)")
	}
	b, err := os.ReadFile(filepath.Join(img.Layers[len(img.Layers)-1], name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPullRandomImage(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	img, err := random.Image(1000, 5)
	if err != nil {
		t.Fatal(err)
	}
	ref := f.push("some/image:v1", img)
	s := newStore(t)
	got, err := Pull(t.Context(), s, ref, f.options())
	if err != nil {
		t.Fatal(err)
	}
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != want || got.Ref != ref || len(got.Config.RootFS.DiffIDs) != 5 {
		t.Errorf("Pull = %+v", got)
	}
	for _, dir := range got.Layers {
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Errorf("%s holds %v, %v", dir, files, err)
		}
	}
}

func TestPullLayerFormats(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, mt := range []types.MediaType{types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer, types.DockerLayer,
		types.DockerUncompressedLayer, types.OCIRestrictedLayer, types.DockerForeignLayer} {
		ref := f.push("formats:latest", staticImage(t, empty.Image, mt, layerOf("file", string(mt))))
		img, err := Pull(t.Context(), newStore(t), ref, f.options())
		if err != nil {
			t.Errorf("%s: %v", mt, err)
			continue
		}
		if got := read(t, img, "file"); got != string(mt) {
			t.Errorf("%s: file = %q", mt, got)
		}
	}
	for _, mt := range []types.MediaType{"application/vnd.oci.image.layer.v1.tar+xz", "application/octet-stream", "",
		types.OCIManifestSchema1} {
		s := newStore(t)
		_, err := Pull(t.Context(), s, f.push("formats:latest", staticImage(t, empty.Image, mt, layerOf("file", ""))), f.options())
		if !errors.Is(err, ErrMediaType) || len(visible(t, s)) != 0 {
			t.Errorf("%s: %v", mt, err)
		}
	}
}

func TestPullPolicy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	ref := f.push("policy:latest", forPlatform(t, amd64, "one"))
	s := newStore(t)
	pull := func(p Policy) (string, error) {
		o := f.options()
		o.Policy = p
		img, err := Pull(t.Context(), s, ref, o)
		if err != nil {
			return "", err
		}
		return read(t, img, "platform"), nil
	}
	if _, err := pull(Never); !errors.Is(err, fs.ErrNotExist) || f.hits.Load() == 0 {
		t.Errorf("never, not there: %v", err)
	}
	if got, err := pull(Missing); got != "one" {
		t.Fatalf("missing, not there: %q, %v", got, err)
	}
	f.push("policy:latest", forPlatform(t, amd64, "two"))
	hits := f.hits.Load()
	for _, p := range []Policy{Missing, Never} {
		if got, err := pull(p); got != "one" || f.hits.Load() != hits {
			t.Errorf("policy %d, there: %q, %v, %d requests", p, got, err, f.hits.Load()-hits)
		}
	}
	if got, err := pull(Always); got != "two" {
		t.Errorf("always: %q, %v", got, err)
	}
	f.srv.Close()
	if got, err := pull(Always); err == nil {
		t.Errorf("always without a registry: %q", got)
	}
	if got, err := pull(Missing); got != "two" {
		t.Errorf("missing without a registry: %q, %v", got, err)
	}
}

// What is damaged in the store is fetched again.
func TestPullRepairs(t *testing.T) {
	t.Parallel()
	if !layer.Supported {
		t.Skip("needs unpacked layers (remedy: run on Linux)")
	}
	f := newFake(t)
	p := f.image("repair", layerOf("file", "content"))
	ref, d := f.tag("repair", p)
	s := newStore(t)
	if _, err := Pull(t.Context(), s, ref, f.options()); err != nil {
		t.Fatal(err)
	}
	damage := func(h v1.Hash) {
		path := filepath.Join(s.Dir(), "blobs/sha256", h.Hex)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage(p.manifest.Layers[0].Digest)
	if err := os.RemoveAll(filepath.Dir(s.LayerDir(p.config.RootFS.DiffIDs[0]))); err != nil {
		t.Fatal(err)
	}
	img, err := Pull(t.Context(), s, ref, f.options())
	if err != nil || read(t, img, "file") != "content" {
		t.Fatalf("damaged layer: %v", err)
	}
	damage(d.Digest)
	if _, err := Pull(t.Context(), s, ref, f.options()); err != nil {
		t.Errorf("damaged manifest: %v", err)
	}
}

func TestPullIndex(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	index := v1.ImageIndex(mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	add := func(p v1.Platform, content string) {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: forPlatform(t, p, content),
			Descriptor: v1.Descriptor{Platform: &p}})
	}
	add(v1.Platform{OS: "unknown", Architecture: "unknown"}, "attestation")
	add(v1.Platform{OS: "linux", Architecture: "amd64", Variant: "v3"}, "amd64/v3")
	add(v1.Platform{OS: "linux", Architecture: "amd64"}, "amd64")
	add(v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, "arm64")
	ref := f.push("index:latest", index)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	for _, tc := range []struct{ arch, variant, want string }{
		{"amd64", "", "amd64"}, {"amd64", "v3", "amd64/v3"}, {"arm64", "", "arm64"}, {"arm64", "v8", "arm64"}, {"amd64", "", "amd64"},
	} {
		o := f.options()
		o.Platform = &v1.Platform{OS: "linux", Architecture: tc.arch, Variant: tc.variant}
		for _, ref := range []string{ref, f.host + "/index@" + digest.String()} {
			img, err := Pull(t.Context(), s, ref, o)
			if err != nil {
				t.Fatalf("%s %+v: %v", ref, tc, err)
			}
			if img.Ref != ref {
				t.Errorf("%s has become %s", ref, img.Ref)
			}
			if got := read(t, img, "platform"); got != tc.want {
				t.Errorf("%s %+v: %s", ref, tc, got)
			}
		}
	}
	o := f.options()
	o.Platform = &v1.Platform{OS: "linux", Architecture: "riscv64"}
	_, err = Pull(t.Context(), s, ref, o)
	if !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("riscv64: %v", err)
	}
	// An index in an index; and one in which they never end.
	nested := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	img, err := Pull(t.Context(), s, f.push("nested:latest", nested), f.options())
	if err != nil || read(t, img, "platform") != "amd64" {
		t.Errorf("nested: %v", err)
	}
	for range 3 {
		nested = mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: nested})
	}
	if _, err := Pull(t.Context(), s, f.push("deep:latest", nested), f.options()); !errors.Is(err, store.ErrDocument) {
		t.Errorf("deep: %v", err)
	}
}

func TestPullOtherPlatform(t *testing.T) {
	f := newFake(t)
	ref := f.push("arm:latest", forPlatform(t, v1.Platform{OS: "linux", Architecture: "arm64"}, ""))
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); !errors.Is(err, ErrPlatform) {
		t.Errorf("err = %v", err)
	}
}

func TestPullByDigest(t *testing.T) {
	f := newFake(t)
	_, d := f.tag("pinned", f.image("pinned", layerOf("file", "x")))
	s := newStore(t)
	ref := f.host + "/pinned:ignored@" + d.Digest.String()
	img, err := Pull(t.Context(), s, ref, f.options())
	if err != nil || img.Digest != d.Digest {
		t.Fatalf("%+v, %v", img, err)
	}
	// Another body under that digest is refused, whatever the server calls it.
	for _, mt := range []types.MediaType{types.OCIManifestSchema1, types.DockerManifestSchema1Signed} {
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", string(mt))
			w.Header().Set("Docker-Content-Digest", d.Digest.String())
			_, _ = w.Write([]byte(`{"schemaVersion":2}`))
			return true
		}
		s := newStore(t)
		if _, err := Pull(t.Context(), s, ref, f.options()); !errors.Is(err, store.ErrDigest) || len(visible(t, s)) != 0 {
			t.Errorf("%s: %v", mt, err)
		}
	}
}

func removeBlob(t testing.TB, s *store.Store, h v1.Hash) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.Dir(), "blobs/sha256", h.Hex)); err != nil {
		t.Fatal(err)
	}
}
