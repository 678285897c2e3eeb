package registry

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

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

func TestPullErrors(t *testing.T) {
	f := newFake(t)
	answer := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(code)
				return true
			}
			return false
		}
	}
	for _, tc := range []struct {
		name, ref string
		hook      func(http.ResponseWriter, *http.Request) bool
		err       error
		hint      string
	}{
		{name: "no repository", ref: f.host + "/none", err: fs.ErrNotExist, hint: "check the name"},
		{name: "401", ref: f.host + "/none", hook: answer(401), err: fs.ErrPermission, hint: "docker login " + f.host},
		{name: "403", ref: f.host + "/none", hook: answer(403), err: fs.ErrPermission, hint: "docker login"},
		{name: "bad reference", ref: "UPPER/case", err: ErrReference},
	} {
		f.hook = tc.hook
		s := newStore(t)
		_, err := Pull(t.Context(), s, tc.ref, f.options())
		var e *Error
		if !errors.Is(err, tc.err) || !errors.As(err, &e) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, serr := os.Lstat(s.Dir()); !errors.Is(serr, fs.ErrNotExist) {
			t.Errorf("%s: the store was made", tc.name)
		}
	}
}

func TestPullRetries(t *testing.T) {
	f := newFake(t)
	p := f.image("retry", layerOf("file", strings.Repeat("content", 1000)))
	ref, _ := f.tag("retry", p)
	failures := 0
	for name, hook := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"unavailable": func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"reset": func(w http.ResponseWriter, r *http.Request) bool {
			panic(http.ErrAbortHandler)
		},
	} {
		failures = 2
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if failures == 0 {
				return false
			}
			failures--
			return hook(w, r)
		}
		o := f.options()
		o.Jobs = 1 // for the counter
		_, err := Pull(t.Context(), newStore(t), ref, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A blob that breaks off in the middle.
	size := p.manifest.Layers[0].Size
	failures = 2
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) || failures == 0 {
			return false
		}
		failures--
		w.Header().Set("Content-Length", toString(size))
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	}
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); err != nil {
		t.Errorf("broken off: %v", err)
	}
	// One of another length is not worth reading.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) {
			return false
		}
		w.Header().Set("Content-Length", toString(size+1))
		w.WriteHeader(http.StatusOK)
		return true
	}
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); !errors.Is(err, store.ErrSize) {
		t.Errorf("other length: %v", err)
	}
	// Asked to wait for an hour, it rather says so.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	_, err := Pull(t.Context(), newStore(t), ref, f.options())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "limits requests") {
		t.Errorf("too many requests: %v", err)
	}
}

// A pull ends soon after its context, whatever it waits for, and leaves no goroutine.
func TestPullCancelled(t *testing.T) {
	for _, stalled := range []string{"/v2/", "/manifests/", "/blobs/", "pause", "lock"} {
		t.Run(strings.Trim(stalled, "/"), func(t *testing.T) {
			f := newFake(t)
			ref, _ := f.tag("slow", f.image("slow", layerOf("a", "a"), layerOf("b", "b")))
			s := newStore(t)
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			o := f.options()
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case stalled == "pause":
					w.Header().Set("Retry-After", "20")
					w.WriteHeader(http.StatusServiceUnavailable)
					time.AfterFunc(50*time.Millisecond, cancel)
					return true
				case strings.HasSuffix(r.URL.Path, "/v2/") && stalled == "/v2/",
					stalled != "/v2/" && strings.Contains(r.URL.Path, stalled):
					if stalled == "/blobs/" { // in the middle of the content
						w.WriteHeader(http.StatusOK)
						_, _ = w.Write([]byte("x"))
						w.(http.Flusher).Flush()
					}
					cancel()
					<-release
					return true
				}
				return false
			}
			if stalled == "lock" {
				time.AfterFunc(20*time.Millisecond, cancel)
				o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
			}
			start := time.Now()
			_, err := Pull(ctx, s, ref, o)
			took := time.Since(start)
			close(release)
			var e *Error
			if !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
				t.Errorf("err = %v", err)
			}
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if v := visible(t, s); len(v) != 0 {
				t.Errorf("visible: %v", v)
			}
			f.srv.Close() // with it end the server's goroutines
			for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
				if time.Now().After(deadline) {
					buf := make([]byte, 1<<16)
					t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
				}
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
