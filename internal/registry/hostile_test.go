package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

func toString(n int64) string { return fmt.Sprint(n) }

// T41: every mutant of an image is refused before anything of it is visible.
func TestPullMutants(t *testing.T) {
	other := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	for _, tc := range []struct {
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
	} {
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

// T41, T42: content that is not what it was asked for, at every place.
func TestPullTampering(t *testing.T) {
	flip := func(part string) func(f *fake) {
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
	manifest := func(mt string, change func(map[string]any)) func(f *fake) {
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

// T52: answers without an end.
func TestPullEndlessAnswers(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{
		"ping":     func(r *http.Request) bool { return r.URL.Path == "/v2/" },
		"manifest": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") },
		"blob":     func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") },
	} {
		for _, code := range []int{200, 404} {
			t.Run(fmt.Sprint(name, code), func(t *testing.T) {
				f := newFake(t)
				ref, _ := f.tag("endless", f.image("endless", layerOf("a", "1")))
				f.hook = func(w http.ResponseWriter, r *http.Request) bool {
					if !match(r) {
						return false
					}
					w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
					w.WriteHeader(code)
					junk := bytes.Repeat([]byte(`{"a":`), 10000)
					for { // until the client goes away
						if _, err := w.Write(junk); err != nil {
							return true
						}
					}
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				_, err := Pull(t.Context(), newStore(t), ref, f.options())
				runtime.ReadMemStats(&after)
				if name != "ping" || code != 200 { // which has no use for the body
					if err == nil {
						t.Error("no error")
					}
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
					t.Errorf("the heap grew by %d MiB", grown>>20)
				}
			})
		}
	}
}

// T48, T50: credentials stay with the registry, and layers come from nowhere else.
func TestPullRedirect(t *testing.T) {
	f, elsewhere := newFake(t), newFake(t)
	ref, _ := f.tag("moved", f.image("moved", layerOf("a", "1")))
	elsewhere.files = f.files
	var authorized, foreign atomic.Int64
	elsewhere.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if foreign.Add(1); r.Header.Get("Authorization") != "" {
			authorized.Add(1)
		}
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/storage")
		return false
	}
	secret := authn.FromConfig(authn.AuthConfig{Username: "user", Password: "secret"})
	var seen atomic.Int64
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		seen.Add(1)
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, elsewhere.srv.URL+"/storage"+r.URL.Path+"?signature=topsecret", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	o := f.options()
	o.Keychain = keychain{secret}
	_, err := Pull(t.Context(), newStore(t), ref, o)
	if !errors.Is(err, ErrPlainHTTP) || foreign.Load() != 0 || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("redirect to plain HTTP elsewhere: %v, %d requests", err, foreign.Load())
	}
	o.Insecure = append(o.Insecure, elsewhere.host)
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
		t.Errorf("redirect to a listed host: %v", err)
	}
	if foreign.Load() == 0 || authorized.Load() != 0 || seen.Load() == 0 {
		t.Errorf("%d requests elsewhere, %d of them with credentials", foreign.Load(), authorized.Load())
	}
	// Round and round.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return true
	}
	if _, err := Pull(t.Context(), newStore(t), ref, o); err == nil {
		t.Error("an endless redirect came to an end")
	}
}

type keychain struct{ auth authn.Authenticator }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) { return k.auth, nil }

func TestCheckRedirect(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		ok       bool
	}{
		{"https://registry.example/", "https://storage.example/", true},
		{"https://registry.example/", "https://169.254.169.254/latest/meta-data", false},
		{"https://registry.example/", "https://[fe80::1]/", false},
		{"https://registry.example/", "https://[::ffff:10.0.0.1]/", false},
		{"https://registry.example/", "https://127.0.0.1:2375/", false},
		{"https://registry.example/", "https://localhost/", false},
		{"https://registry.example/", "https://0.0.0.0/", false},
		{"https://registry.example/", "https://192.168.1.1/", false},
		{"https://8.8.8.8/", "https://1.1.1.1/", true},
		{"https://10.0.0.1/", "https://10.0.0.2/", true},
		{"https://127.0.0.1/", "https://127.0.0.1:1/", true},
	} {
		from, err := http.NewRequest(http.MethodGet, tc.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := http.NewRequest(http.MethodGet, tc.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkRedirect(to, []*http.Request{from}); (err == nil) != tc.ok {
			t.Errorf("%s to %s: %v", tc.from, tc.to, err)
		}
	}
}

// T50: addresses that a manifest gives for its layers are not even looked up.
func TestPullForeignLayers(t *testing.T) {
	f, canary := newFake(t), newFake(t)
	p := f.image("mutant", layerOf("a", "1"))
	there := p.manifest.Layers[0]
	there.URLs = []string{canary.srv.URL + "/layer", "https://" + canary.host + "/layer"}
	absent := there
	absent.MediaType = types.DockerForeignLayer
	absent.Digest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("1", 64)}
	p.manifest.Layers = []v1.Descriptor{absent}
	p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, toJSON(t, p.config))
	b := toJSON(t, p.manifest)
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		_, _ = w.Write(b)
		return true
	}
	refused(t, f, nil)
	p.manifest.Layers = []v1.Descriptor{there}
	b = toJSON(t, p.manifest)
	if _, err := Pull(t.Context(), newStore(t), f.host+"/mutant", f.options()); err != nil {
		t.Error(err)
	}
	if n := canary.hits.Load(); n != 0 {
		t.Errorf("%d requests to the foreign address", n)
	}
}

// T51: without being told so, nothing goes over plain HTTP or unverified TLS.
func TestPullInsecure(t *testing.T) {
	plainHTTP, bad := newFake(t), newTLSFake(t)
	for _, f := range []*fake{plainHTTP, bad} {
		f.push("image:latest", forPlatform(t, v1.Platform{OS: "linux", Architecture: "amd64"}, ""))
	}
	pull := func(f *fake, insecure ...string) error {
		o := f.options()
		o.Insecure = insecure
		_, err := Pull(t.Context(), newStore(t), f.host+"/image", o)
		return err
	}
	hits := plainHTTP.hits.Load()
	err := pull(plainHTTP, "other.example", "127.0.0.1")
	var e *Error
	if !errors.Is(err, ErrPlainHTTP) || !errors.As(err, &e) || !strings.Contains(e.Hint, plainHTTP.host) || plainHTTP.hits.Load() != hits {
		t.Errorf("plain HTTP: %v, %d requests", err, plainHTTP.hits.Load()-hits)
	}
	hits = bad.hits.Load()
	if err := pull(bad); err == nil || bad.hits.Load() != hits {
		t.Errorf("unverified TLS: %v", err)
	}
	for _, f := range []*fake{plainHTTP, bad} {
		if err := pull(f, f.host); err != nil {
			t.Errorf("listed: %v", err)
		}
	}
	o := bad.options()
	o.Insecure, o.Transport = nil, bad.srv.Client().Transport
	if _, err := Pull(t.Context(), newStore(t), bad.host+"/image", o); err != nil {
		t.Errorf("verified TLS: %v", err)
	}
}

// T39: what a small blob may become is bounded.
func TestPullBombs(t *testing.T) {
	if !layer.Supported {
		t.Skip("needs to unpack layers (remedy: run on Linux)")
	}
	f := newFake(t)
	huge := layerOf("zeros", strings.Repeat("\x00", 32<<20))
	for name, mt := range map[string]types.MediaType{"gzip": types.OCILayer, "zstd": types.OCILayerZStd} {
		p := f.image("bomb", huge)
		blob := gz(huge)
		if mt == types.OCILayerZStd {
			blob = zst(huge)
		}
		p.manifest.Layers[0] = f.raw("bomb", "", mt, blob)
		ref, _ := f.tag("bomb", p)
		o := f.options()
		l := layer.Defaults()
		l.Limits.Bytes = 1 << 20
		o.Layer = &l
		s := newStore(t)
		_, err := Pull(t.Context(), s, ref, o)
		var limit *layer.LimitError
		if !errors.As(err, &limit) || len(visible(t, s)) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A zstd frame with a window of 2 GiB: magic number, no sizes, exponent 21 over 2^10.
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}
	p := f.image("bomb", huge)
	p.manifest.Layers[0] = f.raw("bomb", "", types.OCILayerZStd, window)
	ref, _ := f.tag("bomb", p)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Pull(t.Context(), newStore(t), ref, f.options())
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); err == nil || grown > 64<<20 {
		t.Errorf("window: %v, heap grew by %d", err, grown)
	}
}

func TestDecompressRatio(t *testing.T) {
	z := &unpacked{r: zeros{}, in: &counter{n: 1000}, blob: io.NopCloser(nil)}
	n, err := io.Copy(io.Discard, z)
	if !errors.Is(err, ErrTooLarge) || n < freeGrowth || n > freeGrowth+1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
