package v1image

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/caisson-go/caisson/internal/store"
)

// open makes a store in a directory of the test's.
func open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// randomImage is an image of two layers with the entry point of a test.
func randomImage(t testing.TB) v1.Image {
	t.Helper()
	img := must[v1.Image](t)(random.Image(3000, 2))
	cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
	cfg.OS, cfg.Architecture = "linux", "amd64"
	return must[v1.Image](t)(mutate.ConfigFile(img, cfg))
}

func TestViewIsValid(t *testing.T) {
	for _, mt := range []types.MediaType{types.DockerManifestSchema2, types.OCIManifestSchema1} {
		s := open(t)
		img := mutate.MediaType(randomImage(t), mt)
		h := must[v1.Hash](t)(Import(t.Context(), s, img, "test:1", nil))
		seen := must[v1.Image](t)(View(s, h))
		if err := validate.Image(seen); err != nil {
			t.Errorf("%s: %v", mt, err)
		}
		same(t, img, seen)
		layers := must[[]v1.Layer](t)(seen.Layers())
		d := must[v1.Hash](t)(layers[1].DiffID())
		if l, err := seen.LayerByDiffID(d); err != nil || l != layers[1] {
			t.Errorf("LayerByDiffID = %v, %v", l, err)
		}
		if _, err := seen.LayerByDigest(v1.Hash{Algorithm: "sha256"}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("LayerByDigest of another: %v", err)
		}
		config := must[v1.Layer](t)(seen.LayerByDigest(must[v1.Hash](t)(seen.ConfigName())))
		got := must[[]byte](t)(io.ReadAll(must[io.ReadCloser](t)(config.Compressed())))
		if !bytes.Equal(got, must[[]byte](t)(img.RawConfigFile())) {
			t.Error("the configuration as a layer is another")
		}
	}
}

// same compares the bytes of two images' manifests and configurations.
func same(t testing.TB, a, b v1.Image) {
	t.Helper()
	if !bytes.Equal(must[[]byte](t)(a.RawManifest()), must[[]byte](t)(b.RawManifest())) {
		t.Error("manifests differ")
	}
	if !bytes.Equal(must[[]byte](t)(a.RawConfigFile()), must[[]byte](t)(b.RawConfigFile())) {
		t.Error("configurations differ")
	}
}

// What other code does with a v1.Image works with a view.
func TestViewIsOfUse(t *testing.T) {
	s := open(t)
	h := must[v1.Hash](t)(Import(t.Context(), s, randomImage(t), "test:1", nil))
	seen := must[v1.Image](t)(View(s, h))
	more := must[v1.Image](t)(mutate.AppendLayers(seen, must[v1.Layer](t)(random.Layer(100, types.DockerLayer))))
	if err := validate.Image(more); err != nil {
		t.Errorf("with one more layer: %v", err)
	}
	h2 := must[v1.Hash](t)(Import(t.Context(), s, more, "test:2", nil))
	same(t, more, must[v1.Image](t)(View(s, h2)))

	file := filepath.Join(t.TempDir(), "image.tar")
	if err := tarball.WriteToFile(file, must[name.Tag](t)(name.NewTag("test:1")), seen); err != nil {
		t.Fatal(err)
	}
	loaded := must[v1.Image](t)(tarball.ImageFromPath(file, nil))
	if err := validate.Image(loaded); err != nil {
		t.Errorf("as a tar file: %v", err)
	}
	if must[v1.Hash](t)(loaded.ConfigName()) != must[v1.Hash](t)(seen.ConfigName()) {
		t.Error("as a tar file it has another configuration")
	}
	_ = must[v1.Hash](t)(Import(t.Context(), s, loaded, "test:3", nil))

	dir := must[layout.Path](t)(layout.Write(t.TempDir(), empty.Index))
	if err := dir.AppendImage(seen); err != nil {
		t.Fatal(err)
	}
	same(t, seen, must[v1.Image](t)(dir.Image(h)))
}

func TestViewIndex(t *testing.T) {
	s := open(t)
	x := must[v1.ImageIndex](t)(random.Index(2000, 2, 3))
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: x})
	for ref, x := range map[string]v1.ImageIndex{"one:1": x, "nested:1": nested} {
		h := must[v1.Hash](t)(ImportIndex(t.Context(), s, x, ref, nil))
		if h != must[v1.Hash](t)(x.Digest()) {
			t.Errorf("%s: imported as %s", ref, h)
		}
		seen := must[v1.ImageIndex](t)(ViewIndex(s, h))
		if err := validate.Index(seen); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		if !bytes.Equal(must[[]byte](t)(seen.RawManifest()), must[[]byte](t)(x.RawManifest())) {
			t.Errorf("%s: another index came out", ref)
		}
		if _, err := seen.Image(v1.Hash{Algorithm: "sha256"}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an image that it does not have: %v", ref, err)
		}
		if _, err := layout.Write(t.TempDir(), seen); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestViewErrors(t *testing.T) {
	s := open(t)
	h := must[v1.Hash](t)(Import(t.Context(), s, randomImage(t), "test:1", nil))
	none := v1.Hash{Algorithm: "sha256", Hex: must[v1.Hash](t)(randomImage(t).Digest()).Hex}
	var e *Error
	if _, err := View(s, none); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) {
		t.Errorf("none: %v", err)
	}
	if _, err := ViewIndex(s, h); !errors.Is(err, store.ErrDocument) {
		t.Errorf("an image as an index: %v", err)
	}
	seen := must[v1.Image](t)(View(s, h))
	layers := must[[]v1.Layer](t)(seen.Layers())
	d := must[v1.Hash](t)(layers[0].Digest())
	if err := os.Remove(filepath.Join(s.Dir(), "blobs", "sha256", d.Hex)); err != nil {
		t.Fatal(err)
	}
	if _, err := layers[0].Uncompressed(); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) {
		t.Errorf("a layer that is gone: %v", err)
	}
	raw := filepath.Join(s.Dir(), "blobs", "sha256", h.Hex)
	if err := os.WriteFile(raw, []byte(`{"schemaVersion":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := View(s, h); !errors.Is(err, store.ErrDigest) {
		t.Errorf("damaged: %v", err)
	}
}

func TestFSOfAStoredImage(t *testing.T) {
	s := open(t)
	tarFile := must[io.ReadCloser](t)(must[v1.Layer](t)(random.Layer(100, types.DockerLayer)).Uncompressed())
	plain := static.NewLayer(must[[]byte](t)(io.ReadAll(tarFile)), types.OCIUncompressedLayer)
	img := must[v1.Image](t)(mutate.AppendLayers(randomImage(t), plain))
	h := must[v1.Hash](t)(Import(t.Context(), s, img, "test:1", nil))
	f, err := FS(s, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := must[[]fs.DirEntry](t)(f.ReadDir("."))
	if len(list) != 3 { // random layers have one file each
		t.Errorf("%d files: %v", len(list), list)
	}
	for _, e := range list {
		if b, err := f.ReadFile(e.Name()); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", e.Name(), len(b), err)
		}
	}
}
