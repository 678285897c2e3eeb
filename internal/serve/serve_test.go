package serve

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/v1image"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// server is a registry on a store of its own.
type server struct {
	t    testing.TB
	s    *store.Store
	h    *Handler
	http *httptest.Server
	host string
}

func newServer(t testing.TB, o Options) *server {
	t.Helper()
	s := must[*store.Store](t)(store.Open(filepath.Join(t.TempDir(), "state")))
	return serverOn(t, s, o)
}

func serverOn(t testing.TB, s *store.Store, o Options) *server {
	t.Helper()
	h := must[*Handler](t)(New(s, o))
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
		if left, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(left) != 0 {
			t.Errorf("%d things left in staging", len(left))
		}
	})
	return &server{t, s, h, srv, strings.TrimPrefix(srv.URL, "http://")}
}

// ref is a reference to something here.
func (s *server) ref(what string) name.Reference {
	s.t.Helper()
	return must[name.Reference](s.t)(name.ParseReference(s.host + "/" + what))
}

func (s *server) put(ref string, img v1.Image) v1.Hash {
	s.t.Helper()
	return must[v1.Hash](s.t)(v1image.Import(s.t.Context(), s.s, img, ref, nil))
}

// reply is an answer of the server.
type reply struct {
	*http.Response
	body []byte
}

// code is the error code in an answer.
func (r reply) code() code {
	var e struct {
		Errors []struct {
			Code    code
			Message string
		}
	}
	if json.Unmarshal(r.body, &e) != nil || len(e.Errors) != 1 || e.Errors[0].Message == "" {
		return ""
	}
	return e.Errors[0].Code
}

// do sends a request. Headers are pairs.
func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = s.http.URL + path
	}
	req := must[*http.Request](s.t)(http.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body)))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp := must[*http.Response](s.t)(s.http.Client().Do(req))
	defer resp.Body.Close()
	return reply{resp, must[[]byte](s.t)(io.ReadAll(resp.Body))}
}

func (s *server) expect(r reply, status int, c code) reply {
	s.t.Helper()
	if r.StatusCode != status || c != "" && r.code() != c {
		s.t.Errorf("%s %s: %d %s, want %d %s: %.300s", r.Request.Method, r.Request.URL, r.StatusCode, r.code(), status, c, r.body)
	}
	return r
}

// randomImage is an image for this machine.
func randomImage(t testing.TB) v1.Image {
	t.Helper()
	img := must[v1.Image](t)(random.Image(3000, 2))
	cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
	cfg.OS, cfg.Architecture = "linux", "amd64"
	return must[v1.Image](t)(mutate.ConfigFile(img, cfg))
}

func digestOf(t testing.TB, content string) string {
	t.Helper()
	h, _, err := v1.SHA256(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// same compares the bytes of two manifests.
func same(t testing.TB, what string, a, b interface{ RawManifest() ([]byte, error) }) {
	t.Helper()
	if !bytes.Equal(must[[]byte](t)(a.RawManifest()), must[[]byte](t)(b.RawManifest())) {
		t.Errorf("%s: another manifest", what)
	}
}

// indexForHere is an index of an image for another machine and one for this.
func indexForHere(t testing.TB) v1.ImageIndex {
	t.Helper()
	add := func(arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: ociImage(t, arch),
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}}
	}
	return mutate.AppendManifests(empty.Index, add("other"), add(runtime.GOARCH))
}

// staticLayer is a layer with that content, whatever it is.
func staticLayer(content string) v1.Layer {
	return static.NewLayer([]byte(content), types.DockerUncompressedLayer)
}

// basic are the credentials of a test.
type basic struct{}

func (basic) Authorization() (*authn.AuthConfig, error) {
	return &authn.AuthConfig{Username: "u", Password: "p"}, nil
}

// ociImage is an image of OCI's media types alone.
func ociImage(t testing.TB, arch string) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for range 2 {
		img = must[v1.Image](t)(mutate.AppendLayers(img, must[v1.Layer](t)(random.Layer(3000, types.OCILayer))))
	}
	cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
	cfg.OS, cfg.Architecture = "linux", arch
	return must[v1.Image](t)(mutate.ConfigFile(img, cfg))
}
