package powercut

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writers is how many goroutines write to the store at once, each to names of its own.
const writers = 2

// source is a registry whose names get other images from round to round.
type source struct {
	t      *testing.T
	images []v1.Image
	refs   []name.Tag
}

// offer is a name of the registry, and what a pull of it has to bring.
type offer struct{ Ref, Digest string }

func newSource(t *testing.T, r *rand.Rand) *source {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	s := &source{t: t}
	var layers []v1.Layer
	for i := range 6 {
		b := tarOf(t, r, fmt.Sprint("base", i))
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
			tarball.WithCompressedCaching)
		s.must(err)
		layers = append(layers, l)
	}
	for range 5 { // most of them share layers
		n := r.Perm(len(layers))
		img, err := mutate.AppendLayers(empty.Image, layers[n[0]], layers[n[1]], layers[n[2]])
		s.must(err)
		s.images = append(s.images, img)
	}
	for i := range 2 * writers {
		ref, err := name.NewTag(fmt.Sprintf("%s/writer%d/pulled:%d", strings.TrimPrefix(server.URL, "http://"), i%writers, i/writers))
		s.must(err)
		s.refs = append(s.refs, ref)
	}
	return s
}

// shuffle gives each name an image.
func (s *source) shuffle(r *rand.Rand) (offers []offer) {
	for _, ref := range s.refs {
		img := s.images[r.IntN(len(s.images))]
		s.must(remote.Write(ref, img))
		digest, err := img.Digest()
		s.must(err)
		offers = append(offers, offer{ref.String(), digest.String()})
	}
	return offers
}

func (s *source) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// tarOf is a layer with some of everything. Its files' sizes lie around those of pages and blocks.
func tarOf(t testing.TB, r *rand.Rand, top string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, content []byte) {
		h.Name, h.Size = top+"/"+h.Name, int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Typeflag: tar.TypeDir, Mode: 0o711}, nil)
	add(tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "f0"}, nil)
	add(tar.Header{Name: ".wh.gone", Typeflag: tar.TypeReg, Mode: 0o600}, nil)
	for i := range 4 + r.IntN(8) {
		content := make([]byte, r.IntN(3)*4096+r.IntN(5000))
		for j := range content {
			content[j] = byte(r.Uint32())
		}
		add(tar.Header{Name: fmt.Sprint("f", i), Typeflag: tar.TypeReg, Mode: 0o640, Uid: i}, content)
	}
	add(tar.Header{Name: "same", Typeflag: tar.TypeLink, Linkname: top + "/f0", Mode: 0o640}, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
