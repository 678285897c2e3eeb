package serve

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// indexOf is an index of one document, which was pushed as a blob.
func (s *server) indexOf(mt types.MediaType, content string) string {
	s.t.Helper()
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		ociIndex, mt, s.putBlob("a/b", content), len(content))
}

// The parts of an index are what it says, whether they came as manifests or as blobs: who collects garbage or pulls by
// platform must be able to read them.
func TestPartsOfIndexes(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`
	manifest := func(config, digest string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
			ociManifest, types.OCIConfigJSON, digest, len(config))
	}
	good := manifest(config, s.putBlob("a/b", config))
	lacking := manifest("none", digestOf(t, "none"))
	nested := func(n int) string {
		doc := s.indexOf(ociManifest, good)
		for range n - 1 {
			doc = s.indexOf(ociIndex, doc)
		}
		return doc
	}
	big := good + strings.Repeat(" ", store.MaxDocument)
	for what, tc := range map[string]struct {
		index string
		code  code
	}{
		"a manifest":                {s.indexOf(ociManifest, good), ""},
		"three indexes":             {nested(3), ""},
		"four indexes":              {nested(4), manifestInvalid},
		"no JSON":                   {s.indexOf(ociManifest, "x"), manifestInvalid},
		"an index":                  {s.indexOf(ociManifest, s.indexOf(ociManifest, good)), manifestInvalid},
		"a manifest, no index":      {s.indexOf(ociIndex, good), manifestInvalid},
		"of another type":           {s.indexOf(dockerManifest, good), manifestInvalid},
		"of an unknown type":        {s.indexOf("application/x-strange", good), manifestInvalid},
		"too large":                 {s.indexOf(ociManifest, big), manifestInvalid},
		"without its configuration": {s.indexOf(ociManifest, lacking), manifestBlobUnknown},
		"no JSON, further down":     {s.indexOf(ociIndex, s.indexOf(ociManifest, "x")), manifestInvalid},
	} {
		r := s.do("PUT", "/v2/a/b/manifests/1", tc.index, "Content-Type", ociIndex)
		if (r.StatusCode == http.StatusCreated) != (tc.code == "") || r.code() != tc.code {
			t.Errorf("%s: %d %s, want %q", what, r.StatusCode, r.body, tc.code)
		}
	}
}

// Many parts are read once each, and together they are bounded.
func TestPartsTogether(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`
	c := s.putBlob("a/b", config)
	var all, one []string
	if s.h.parts != maxParts {
		t.Errorf("all parts have %d bytes", s.h.parts)
	}
	const size = 10_000
	s.h.parts = 5 * size
	for i := range 6 {
		m := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q,"size":%d},"layers":[],"annotations":{"n":"%d"}}`, c, len(config), i)
		m += strings.Repeat(" ", size-len(m))
		d := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, ociManifest, s.putBlob("a/b", m), len(m))
		all, one = append(all, d), append(one, d)[:1]
	}
	put := func(parts []string) reply {
		return s.do("PUT", "/v2/a/b/manifests/1", `{"schemaVersion":2,"manifests":[`+strings.Join(parts, ",")+`]}`, "Content-Type", ociIndex)
	}
	s.expect(put(all), http.StatusRequestEntityTooLarge, sizeInvalid)
	for range 5 { // 32 times
		one = append(one, one...)
	}
	s.expect(put(one), http.StatusCreated, "")
}

// A manifest that comes as a blob, to be named by an index, must not lead to what others have.
func TestPartsOfOthers(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true, Auth: func(r *http.Request, repo string, a Action) error {
		if repo == "docker.io/secret/x" {
			return fmt.Errorf("not for you")
		}
		return nil
	}})
	secret := randomImage(t)
	s.put("docker.io/secret/x:1", secret)
	raw := must[[]byte](t)(secret.RawManifest())
	mt := must[types.MediaType](t)(secret.MediaType())
	s.expect(s.do("PUT", "/v2/a/b/manifests/1", s.indexOf(mt, string(raw)), "Content-Type", ociIndex), http.StatusBadRequest, manifestBlobUnknown)
	l := must[v1.Hash](t)(must[[]v1.Layer](t)(secret.Layers())[0].Digest())
	s.expect(s.do("GET", "/v2/a/b/blobs/"+l.String(), ""), http.StatusNotFound, "")
}
