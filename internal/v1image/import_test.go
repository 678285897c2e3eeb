package v1image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

func TestImportIsRunnable(t *testing.T) {
	s := open(t)
	img := randomImage(t)
	h := must[v1.Hash](t)(Import(t.Context(), s, img, "localhost:5000/a/b:1", nil))
	got := must[store.Image](t)(s.Resolve("localhost:5000/a/b:1"))
	if got.Digest != h || layer.Supported && len(got.Layers) != 2 {
		t.Errorf("resolved %+v", got)
	}
	short := must[v1.Hash](t)(Import(t.Context(), s, img, "short", nil))
	if got := must[store.Image](t)(s.Resolve("docker.io/library/short:latest")); got.Digest != short {
		t.Errorf("resolved %+v", got)
	}
	ref := "localhost:5000/a/b@" + h.String()
	if _, err := Import(t.Context(), s, img, ref, nil); err != nil {
		t.Errorf("by digest: %v", err)
	}
}

// liar is an image that says what the test wants.
type liar struct {
	v1.Image
	digest   *v1.Hash
	manifest []byte
	config   []byte
	mt       types.MediaType
	layers   []v1.Layer
	err      error
}

func (l *liar) Digest() (v1.Hash, error) {
	if l.digest != nil {
		return *l.digest, nil
	}
	raw, err := l.RawManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	h, _, err := v1.SHA256(bytes.NewReader(raw))
	return h, err
}

func (l *liar) RawManifest() ([]byte, error) {
	if l.manifest != nil || l.err != nil {
		return l.manifest, l.err
	}
	return l.Image.RawManifest()
}

func (l *liar) RawConfigFile() ([]byte, error) {
	if l.config != nil {
		return l.config, nil
	}
	return l.Image.RawConfigFile()
}

func (l *liar) MediaType() (types.MediaType, error) {
	if l.mt != "" {
		return l.mt, nil
	}
	return l.Image.MediaType()
}

func (l *liar) Layers() ([]v1.Layer, error) {
	if l.layers != nil {
		return l.layers, nil
	}
	return l.Image.Layers()
}

// shortLayer is a layer whose content is not what it says.
type shortLayer struct {
	v1.Layer
	content []byte
	none    bool
}

func (l *shortLayer) Compressed() (io.ReadCloser, error) {
	if l.none {
		return nil, nil
	}
	return io.NopCloser(bytes.NewReader(l.content)), nil
}

func TestImportRefuses(t *testing.T) {
	img := randomImage(t)
	layers := must[[]v1.Layer](t)(img.Layers())
	edited := func(edit func(*v1.Manifest)) []byte {
		m := must[*v1.Manifest](t)(img.Manifest()).DeepCopy()
		edit(m)
		return must[[]byte](t)(json.Marshal(m))
	}
	other := must[v1.Hash](t)(randomImage(t).Digest())
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		img  v1.Image
		want error
	}{
		"nil":                 {nil, fs.ErrInvalid},
		"other digest":        {&liar{Image: img, digest: &other}, store.ErrDigest},
		"manifest fails":      {&liar{Image: img, err: broken}, broken},
		"no manifest":         {&liar{Image: img, manifest: []byte{}}, store.ErrDocument},
		"null manifest":       {&liar{Image: img, manifest: []byte("null")}, store.ErrDocument},
		"empty object":        {&liar{Image: img, manifest: []byte("{}")}, store.ErrDocument},
		"huge manifest":       {&liar{Image: img, manifest: bytes.Repeat([]byte(" "), store.MaxDocument+1)}, store.ErrTooLarge},
		"an index":            {&liar{Image: img, mt: types.OCIImageIndex}, store.ErrDocument},
		"two kinds":           {&liar{Image: img, manifest: []byte(`{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}`)}, store.ErrDocument},
		"other configuration": {&liar{Image: img, config: []byte(`{}`)}, store.ErrSize},
		"huge configuration":  {&liar{Image: img, config: bytes.Repeat([]byte(" "), store.MaxDocument+1)}, store.ErrTooLarge},
		"fewer layers":        {&liar{Image: img, layers: layers[:1]}, ErrChanged},
		"layers swapped":      {&liar{Image: img, layers: []v1.Layer{layers[1], layers[0]}}, ErrChanged},
		"nil layer":           {&liar{Image: img, layers: []v1.Layer{layers[0], nil}}, ErrChanged},
		"nil content":         {&liar{Image: img, layers: []v1.Layer{layers[0], &shortLayer{layers[1], nil, true}}}, ErrChanged},
		"short content":       {&liar{Image: img, layers: []v1.Layer{layers[0], &shortLayer{layers[1], []byte("x"), false}}}, store.ErrSize},
		"negative size": {&liar{Image: img, manifest: edited(func(m *v1.Manifest) { m.Layers[0].Size = -1 })},
			store.ErrDocument},
		"no diff ids": {&liar{Image: img, manifest: edited(func(m *v1.Manifest) { m.Layers = m.Layers[:1] }), layers: layers[:1]},
			store.ErrDocument},
		"layer too large": {&liar{Image: img, manifest: edited(func(m *v1.Manifest) { m.Layers[0].Size = 1 << 40 })},
			store.ErrTooLarge},
	} {
		s := open(t)
		_, err := Import(t.Context(), s, tc.img, "test:1", nil)
		var e *Error
		if !errors.Is(err, tc.want) || !errors.As(err, &e) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if _, err := s.Resolve("docker.io/library/test:1"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the name exists: %v", name, err)
		}
		left, _ := os.ReadDir(filepath.Join(s.Dir(), "staging"))
		if len(left) != 0 {
			t.Errorf("%s: %d things left in staging", name, len(left))
		}
	}
}

func TestImportMediaTypes(t *testing.T) {
	if !layer.Supported {
		t.Log("where nothing is unpacked the types are looked at all the same")
	}
	img := must[v1.Image](t)(mutate.AppendLayers(randomImage(t), static.NewLayer([]byte("x"), "application/x-unknown")))
	if _, err := Import(t.Context(), open(t), img, "test:1", nil); !errors.Is(err, registry.ErrMediaType) {
		t.Errorf("unknown layer: %v", err)
	}
	x := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: randomImage(t),
		Descriptor: v1.Descriptor{MediaType: "application/x-unknown"}})
	if _, err := ImportIndex(t.Context(), open(t), x, "test:1", nil); !errors.Is(err, registry.ErrMediaType) {
		t.Errorf("unknown manifest: %v", err)
	}
}

func TestImportNames(t *testing.T) {
	s := open(t)
	img := randomImage(t)
	if _, err := Import(t.Context(), s, img, "A:B:C", nil); !errors.Is(err, registry.ErrReference) {
		t.Errorf("no name: %v", err)
	}
	other := must[v1.Hash](t)(randomImage(t).Digest())
	if _, err := Import(t.Context(), s, img, "a@"+other.String(), nil); !errors.Is(err, store.ErrDigest) {
		t.Errorf("the digest of another: %v", err)
	}
}

func TestImportEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Import(ctx, open(t), randomImage(t), "test:1", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Import: %v", err)
	}
}

// T39: what the layers of an image grow to together is bounded.
func TestImportBudget(t *testing.T) {
	if !layer.Supported {
		t.Log("nothing is unpacked here")
		return
	}
	s := open(t)
	small := func(in *importer) (v1.Descriptor, error) {
		in.budget = func(layers []v1.Descriptor) *registry.Budget {
			if len(layers) != 2 {
				t.Errorf("a budget for %d layers", len(layers))
			}
			return registry.NewBudget(6000) // each of the two layers alone fits in
		}
		return in.image(t.Context(), randomImage(t), true)
	}
	if _, err := importNamed(t.Context(), s, "test:1", nil, small); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("importNamed: %v", err)
	}
	if _, err := s.Resolve("docker.io/library/test:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// A layer blob that was damaged in the store is taken anew.
func TestImportMends(t *testing.T) {
	if !layer.Supported {
		t.Log("nothing is unpacked here, so damage shows when the layer is read")
		return
	}
	s := open(t)
	img := randomImage(t)
	l := must[[]v1.Layer](t)(img.Layers())[0]
	h, size := must[v1.Hash](t)(l.Digest()), must[int64](t)(l.Size())
	if err := s.PutBlob(t.Context(), h, size, must[io.ReadCloser](t)(l.Compressed())); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), "blobs", "sha256", h.Hex), []byte(strings.Repeat("x", int(size))), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = must[v1.Hash](t)(Import(t.Context(), s, img, "test:1", nil))
}

func TestImportIndexRefuses(t *testing.T) {
	x := must[v1.ImageIndex](t)(random.Index(100, 1, 2))
	deep := x
	for range maxIndexes {
		deep = mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: deep})
	}
	wrong := mutate.AppendManifests(x, mutate.IndexAddendum{Add: randomImage(t), Descriptor: v1.Descriptor{Size: 7}})
	for name, tc := range map[string]struct {
		x    v1.ImageIndex
		want error
	}{
		"nil":        {nil, fs.ErrInvalid},
		"deep":       {deep, store.ErrDocument},
		"wrong size": {wrong, ErrChanged},
	} {
		if _, err := ImportIndex(t.Context(), open(t), tc.x, "test:1", nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}
