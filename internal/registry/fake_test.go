package registry

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/caisson-go/caisson/internal/store"
)

// fake is a registry on the loopback interface. hook, if set, sees every request first, and returns true if it has
// answered.
type fake struct {
	t     testing.TB
	srv   *httptest.Server
	host  string
	hook  func(w http.ResponseWriter, r *http.Request) bool
	hits  atomic.Int64
	files http.Handler
}

func newFake(t testing.TB) *fake {
	f := unstarted(t)
	f.srv.Start()
	f.host = strings.TrimPrefix(f.srv.URL, "http://")
	return f
}

func newTLSFake(t testing.TB) *fake {
	f := unstarted(t)
	f.srv.StartTLS()
	f.host = strings.TrimPrefix(f.srv.URL, "https://")
	return f
}

func unstarted(t testing.TB) *fake {
	f := &fake{t: t, files: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	f.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.hits.Add(1)
		if f.hook == nil || !f.hook(w, r) {
			f.files.ServeHTTP(w, r)
		}
	}))
	f.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(f.srv.Close)
	return f
}

// push puts an image or index into the registry, and returns its reference.
func (f *fake) push(name_ string, what remote.Taggable) string {
	f.t.Helper()
	ref, err := name.ParseReference(f.host+"/"+name_, name.Insecure)
	if err != nil {
		f.t.Fatal(err)
	}
	hook := f.hook
	f.hook = nil
	defer func() { f.hook = hook }()
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(ref, what, remote.WithNondistributable, remote.WithTransport(f.srv.Client().Transport))
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what, remote.WithTransport(f.srv.Client().Transport))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return ref.String()
}

// raw puts a blob or manifest into the registry as it is, and returns its descriptor.
func (f *fake) raw(repo, tag string, mt types.MediaType, b []byte) v1.Descriptor {
	f.t.Helper()
	h, n, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		f.t.Fatal(err)
	}
	method, path := http.MethodPost, "/v2/"+repo+"/blobs/uploads/?digest="+h.String()
	if tag != "" {
		method, path = http.MethodPut, "/v2/"+repo+"/manifests/"+tag
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(b))
	r.Header.Set("Content-Type", string(mt))
	w := httptest.NewRecorder()
	f.files.ServeHTTP(w, r)
	if w.Code >= 300 {
		f.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return v1.Descriptor{MediaType: mt, Size: n, Digest: h}
}

// options trust the registry without TLS, use no credentials of the user's, and do not wait long.
func (f *fake) options() Options {
	return Options{Insecure: []string{f.host}, Keychain: authn.NewMultiKeychain(), retryPause: time.Millisecond,
		Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}
}

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parts is an image by its parts, each of which a test may spoil.
type parts struct {
	manifest v1.Manifest
	config   v1.ConfigFile
}

// image uploads layers and makes the parts of an image of them.
func (f *fake) image(repo string, layers ...[]byte) parts {
	f.t.Helper()
	p := parts{
		manifest: v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1},
		config:   v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}},
	}
	for _, l := range layers {
		p.manifest.Layers = append(p.manifest.Layers, f.raw(repo, "", types.OCILayer, gz(l)))
		h, _, _ := v1.SHA256(bytes.NewReader(l))
		p.config.RootFS.DiffIDs = append(p.config.RootFS.DiffIDs, h)
	}
	return p
}

// tag uploads the rest of the image, and returns its reference and descriptor.
func (f *fake) tag(repo string, p parts) (string, v1.Descriptor) {
	f.t.Helper()
	if p.manifest.Config.MediaType == "" {
		p.manifest.Config = f.raw(repo, "", types.OCIConfigJSON, toJSON(f.t, p.config))
	}
	d := f.raw(repo, "latest", p.manifest.MediaType, toJSON(f.t, p.manifest))
	return f.host + "/" + repo, d
}

func toJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// layerOf is a tar file with one file.
func layerOf(name, content string) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		panic(err)
	}
	fmt.Fprint(w, content)
	w.Close()
	return buf.Bytes()
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func zst(b []byte) []byte {
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf)
	if err != nil {
		panic(err)
	}
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

// staticImage is an image of layers of the given media types; b is packed as the type says.
func staticImage(t testing.TB, base v1.Image, mt types.MediaType, b []byte) v1.Image {
	t.Helper()
	packed := b
	if c, err := compressionOf(mt); err == nil && c == gzipped {
		packed = gz(b)
	} else if err == nil && c == zstandard {
		packed = zst(b)
	}
	diffID, _, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.Append(base, mutate.Addendum{Layer: diffLayer{static.NewLayer(packed, mt), diffID}, MediaType: mt})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// diffLayer is a static layer that knows its diff id.
type diffLayer struct {
	v1.Layer
	diffID v1.Hash
}

func (d diffLayer) DiffID() (v1.Hash, error) { return d.diffID, nil }

// forPlatform is an image whose configuration names a platform.
func forPlatform(t testing.TB, p v1.Platform, content string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}})
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.MediaType(mutate.ConfigMediaType(img, types.OCIConfigJSON), types.OCIManifestSchema1)
	return staticImage(t, img, types.OCILayer, layerOf("platform", content))
}

// visible lists what a store shows: names, and unpacked layers.
func visible(t testing.TB, s *store.Store) []string {
	t.Helper()
	var out []string
	for img, err := range s.Images() {
		out = append(out, fmt.Sprint(img.Ref, err))
	}
	for _, dir := range []string{"layers", "staging"} {
		_ = filepath.WalkDir(filepath.Join(s.Dir(), dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && filepath.Base(path) != dir {
				out = append(out, path)
			}
			return nil
		})
	}
	return out
}
