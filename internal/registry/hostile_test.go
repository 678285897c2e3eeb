package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

func toString(n int64) string { return fmt.Sprint(n) }

var other = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}

// mutants are the ways to spoil an image of two layers.
var mutants = []struct {
	name  string
	spoil func(f *fake, p *parts)
	is    error
}{
	{"layer size +1", func(f *fake, p *parts) { p.manifest.Layers[0].Size++ }, store.ErrSize},
	{"layer size -1", func(f *fake, p *parts) { p.manifest.Layers[0].Size-- }, store.ErrSize},
	{"layer negative size", func(f *fake, p *parts) { p.manifest.Layers[0].Size = -1 }, store.ErrDocument},
	{"diff id", func(f *fake, p *parts) { p.config.RootFS.DiffIDs[1] = other }, store.ErrDigest},
	{"diff ids exchanged", func(f *fake, p *parts) {
		d := p.config.RootFS.DiffIDs
		d[0], d[1] = d[1], d[0]
	}, store.ErrDigest},
	{"diff id missing", func(f *fake, p *parts) { p.config.RootFS.DiffIDs = p.config.RootFS.DiffIDs[:1] }, store.ErrDocument},
	{"diff id too many", func(f *fake, p *parts) { p.config.RootFS.DiffIDs = append(p.config.RootFS.DiffIDs, other) }, store.ErrDocument},
	{"no diff ids", func(f *fake, p *parts) { p.config.RootFS.DiffIDs = nil }, store.ErrDocument},
	{"rootfs type", func(f *fake, p *parts) { p.config.RootFS.Type = "" }, store.ErrDocument},
	{"config size +1", func(f *fake, p *parts) {
		p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, toJSON(f.t, p.config))
		p.manifest.Config.Size++
	}, store.ErrSize},
	{"config huge", func(f *fake, p *parts) {
		p.manifest.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: other, Size: 1 << 30}
	}, store.ErrDocument},
	{"config is no JSON", func(f *fake, p *parts) {
		p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, []byte("no"))
	}, store.ErrDocument},
	{"manifest says it is an index", func(f *fake, p *parts) { p.manifest.MediaType = types.OCIImageIndex }, store.ErrDocument},
	{"sha512 layer", func(f *fake, p *parts) {
		p.manifest.Layers[0].Digest = v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0", 128)}
	}, errors.ErrUnsupported},
	{"layer not gzip", func(f *fake, p *parts) {
		p.manifest.Layers[0] = f.raw("mutant", "", types.OCILayer, layerOf("a", "1"))
	}, nil},
	{"layer is another", func(f *fake, p *parts) {
		p.manifest.Layers[0] = f.raw("mutant", "", types.OCILayer, gz(layerOf("a", "changed")))
	}, store.ErrDigest},
	{"layer with rubbish behind", func(f *fake, p *parts) {
		p.manifest.Layers[0] = f.raw("mutant", "", types.OCILayer, append(gz(layerOf("a", "1")), "rubbish"...))
	}, nil},
	{"layer with a second member", func(f *fake, p *parts) {
		p.manifest.Layers[0] = f.raw("mutant", "", types.OCILayer, append(gz(layerOf("a", "1")), gz([]byte("more"))...))
	}, store.ErrDigest},
}

// T41: every mutant of an image is refused before anything of it is visible.
func TestPullMutants(t *testing.T) {
	t.Parallel()
	for _, tc := range mutants {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			p := f.image("mutant", layerOf("a", "1"), layerOf("b", "2"))
			tc.spoil(f, &p)
			if p.manifest.Config.MediaType == "" {
				p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, toJSON(t, p.config))
			}
			// Served as they are: the registry of the test would look into them.
			b := toJSON(t, p.manifest)
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
				_, _ = w.Write(b)
				return true
			}
			refused(t, f, tc.is)
		})
	}
}

// refused pulls mutant, and expects an error and a store in which no image can be seen.
func refused(t *testing.T, f *fake, is error) {
	t.Helper()
	s := newStore(t)
	start := time.Now()
	_, err := Pull(t.Context(), s, f.host+"/mutant", f.options())
	var e *Error
	if err == nil || is != nil && !errors.Is(err, is) || !errors.As(err, &e) {
		t.Errorf("err = %v, want %v", err, is)
	}
	if took := time.Since(start); took > 5*time.Second { // T40
		t.Errorf("took %v", took)
	}
	for img, err := range s.Images() {
		t.Errorf("visible: %+v, %v", img, err)
	}
}

// flip changes one bit of every answer whose path has the part.
func flip(part string) func(f *fake) {
	return func(f *fake) {
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
				return false
			}
			var rec recorder
			f.files.ServeHTTP(&rec, r)
			b := rec.body.Bytes()
			b[len(b)/2] ^= 1
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			w.Header().Set("Docker-Content-Digest", rec.Header().Get("Docker-Content-Digest"))
			_, _ = w.Write(b)
			return true
		}
	}
}

// manifest changes every manifest, and gives it a media type.
func manifest(mt string, change func(map[string]any)) func(f *fake) {
	return func(f *fake) {
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			var rec recorder
			f.files.ServeHTTP(&rec, r)
			var m map[string]any
			if err := json.Unmarshal(rec.body.Bytes(), &m); err != nil {
				f.t.Error(err)
			}
			change(m)
			w.Header().Set("Content-Type", mt)
			_ = json.NewEncoder(w).Encode(m)
			return true
		}
	}
}

// T41, T42: content that is not what it was asked for, at every place.
func TestPullTampering(t *testing.T) {
	t.Parallel()
	oci := string(types.OCIManifestSchema1)
	for name, tc := range map[string]struct {
		spoil func(f *fake)
		is    error
	}{
		"blobs":              {flip("/blobs/"), store.ErrDigest},
		"index and image":    {manifest(oci, func(m map[string]any) { m["manifests"] = []any{} }), store.ErrDocument},
		"image as index":     {manifest(string(types.OCIImageIndex), func(m map[string]any) {}), store.ErrDocument},
		"image as docker's":  {manifest(string(types.DockerManifestSchema2), func(m map[string]any) {}), store.ErrDocument},
		"schema 1":           {manifest(string(types.DockerManifestSchema1Signed), func(m map[string]any) {}), store.ErrDocument},
		"no type":            {manifest("application/octet-stream", func(m map[string]any) { delete(m, "mediaType") }), store.ErrDocument},
		"type in body, both": {manifest("text/plain", func(m map[string]any) { m["manifests"] = []any{} }), store.ErrDocument},
		"null layers":        {manifest(oci, func(m map[string]any) { m["layers"] = nil }), store.ErrDocument},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.tag("mutant", f.image("mutant", layerOf("a", "1")))
			tc.spoil(f)
			refused(t, f, tc.is)
		})
	}
	// A static file server has no idea of types; then the document speaks for itself.
	f := newFake(t)
	ref, _ := f.tag("static", f.image("static", layerOf("a", "1")))
	manifest("text/plain; charset=utf-8", func(m map[string]any) {})(f)
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); err != nil {
		t.Errorf("static server: %v", err)
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
func (r *recorder) WriteHeader(int)             {}

// The child of an index is what its descriptor says, or refused.
func TestPullIndexMutants(t *testing.T) {
	for name, spoil := range map[string]func(*v1.Descriptor){
		"size +1":      func(d *v1.Descriptor) { d.Size++ },
		"size -1":      func(d *v1.Descriptor) { d.Size-- },
		"media type":   func(d *v1.Descriptor) { d.MediaType = types.DockerManifestSchema2 },
		"is an index":  func(d *v1.Descriptor) { d.MediaType = types.OCIImageIndex },
		"is a layer":   func(d *v1.Descriptor) { d.MediaType = types.OCILayer },
		"negative":     func(d *v1.Descriptor) { d.Size = -1 },
		"other digest": func(d *v1.Descriptor) { d.Digest.Hex = strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			_, d := f.tag("mutant", f.image("mutant", layerOf("a", "1")))
			child := d
			d.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
			spoil(&d)
			index := toJSON(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}})
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case strings.HasSuffix(r.URL.Path, "/manifests/latest"):
					w.Header().Set("Content-Type", string(types.OCIImageIndex))
					_, _ = w.Write(index)
				case strings.Contains(r.URL.Path, "/manifests/"): // the child, whatever was asked for
					r.URL.Path = "/v2/mutant/manifests/" + child.Digest.String()
					f.files.ServeHTTP(w, r)
				default:
					return false
				}
				return true
			}
			refused(t, f, nil)
		})
	}
}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
