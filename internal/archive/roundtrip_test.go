package archive

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

const (
	oneName   = "docker.io/library/one:latest"
	twoName   = "docker.io/library/two:1.0"
	multiName = "localhost:5000/some/multi:latest"
)

// world is a store with two images that share a layer, and one for two platforms.
type world struct {
	s               *store.Store
	one, two, multi v1.Descriptor
	foreign         v1.Descriptor // of multi, for another architecture
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{s: openStore(t)}
	base := rawLayer{gzipped, tarOf(t, entry{name: "hello", body: "hello"})}
	w.one = putImage(t, w.s, runtime.GOARCH, base)
	w.two = putImage(t, w.s, runtime.GOARCH, base, rawLayer{plain, tarOf(t, entry{name: "two", body: "2"})},
		rawLayer{zstandard, tarOf(t, entry{name: "three", body: strings.Repeat("3", 100_000)})})
	tag(t, w.s, oneName, w.one)
	tag(t, w.s, twoName, w.two)
	w.foreign = putImage(t, w.s, "s390x", rawLayer{gzipped, tarOf(t, entry{name: "big", body: "endian"})})
	w.foreign.Platform = &v1.Platform{OS: "linux", Architecture: "s390x"}
	attestation := putJSON(t, w.s, types.OCIManifestSchema1, v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: putBlob(t, w.s, types.OCIConfigJSON, []byte("{}")),
		Layers: []v1.Descriptor{putBlob(t, w.s, "application/vnd.in-toto+json", []byte(`{"_type":""}`))}})
	attestation.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	absent := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf([]byte("absent")), Size: 6,
		Platform: &v1.Platform{OS: "linux", Architecture: "mips64le"}}
	w.multi = putJSON(t, w.s, types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Manifests: []v1.Descriptor{w.foreign, w.one, attestation, absent}})
	tag(t, w.s, multiName, w.multi)
	return w
}

func TestArchiveRoundTrip(t *testing.T) {
	w := newWorld(t)
	for _, format := range []Format{DockerArchive, OCIArchive} {
		for _, p := range []packing{plain, gzipped, zstandard} {
			file := packed(t, p, saved(t, w.s, SaveOptions{Format: format}, oneName, twoName, multiName))
			s := openStore(t)
			loaded, err := Load(t.Context(), bytes.NewReader(file), s, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded) != 3 {
				t.Fatalf("%d images", len(loaded))
			}
			want := map[string]string{oneName: w.one.Digest.String(), twoName: w.two.Digest.String(), multiName: w.multi.Digest.String()}
			if got := names(t, s); !maps.Equal(got, want) {
				t.Errorf("names are %v", got)
			}
			if got, all := blobs(t, s), blobs(t, w.s); !slices.Equal(got, all) {
				t.Errorf("blobs are %v instead of %v", got, all)
			}
			img, err := s.Resolve(twoName)
			if err != nil {
				t.Fatal(err)
			}
			was, err := w.s.Resolve(twoName)
			if err != nil || img.Digest != was.Digest || len(img.Layers) != len(was.Layers) {
				t.Errorf("%+v became %+v, %v", was, img, err)
			}
			noStaging(t, s)
			again := saved(t, s, SaveOptions{Format: format}, multiName, twoName, oneName, twoName)
			if !bytes.Equal(packed(t, p, again), file) {
				t.Error("saved again it is another file")
			}
		}
	}
}

// From one process's standard output into another's standard input.
func TestArchiveThroughPipe(t *testing.T) {
	w, s := newWorld(t), openStore(t)
	r, to := io.Pipe()
	go func() { to.CloseWithError(Save(t.Context(), to, w.s, []string{twoName}, SaveOptions{})) }()
	loaded, err := Load(t.Context(), r, s, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || loaded[0].Digest != w.two.Digest || !slices.Equal(loaded[0].Names, []string{twoName}) {
		t.Errorf("loaded %+v", loaded)
	}
}

func TestArchiveByDigestHasNoName(t *testing.T) {
	w, s := newWorld(t), openStore(t)
	file := saved(t, w.s, SaveOptions{}, w.one.Digest.String())
	loaded, err := Load(t.Context(), bytes.NewReader(file), s, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || loaded[0].Digest != w.one.Digest || len(loaded[0].Names) != 0 {
		t.Errorf("loaded %+v", loaded)
	}
	if img, err := s.Resolve(w.one.Digest.String()); err != nil || img.Digest != w.one.Digest {
		t.Errorf("Resolve: %+v, %v", img, err)
	}
}

func TestSaveErrors(t *testing.T) {
	w := newWorld(t)
	if err := Save(t.Context(), io.Discard, w.s, nil, SaveOptions{}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	if err := Save(t.Context(), io.Discard, w.s, []string{"docker.io/library/none:latest"}, SaveOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such image: %v", err)
	}
	full := &shortWriter{left: 5_000}
	if err := Save(t.Context(), full, w.s, []string{oneName, twoName}, SaveOptions{}); !errors.Is(err, errFull) {
		t.Errorf("full: %v", err)
	}
	img, err := w.s.Resolve(oneName)
	if err != nil {
		t.Fatal(err)
	}
	// One bit of a layer: what was written must not pass for an archive.
	m, err := newReading(t.Context(), stored{w.s}, nil, 1).part(v1.Descriptor{MediaType: w.one.MediaType, Digest: img.Digest, Size: w.one.Size})
	if err != nil {
		t.Fatal(err)
	}
	path := w.s.Dir() + "/blobs/sha256/" + m.m.Layers[0].Digest.Hex
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := Save(t.Context(), &buf, w.s, []string{oneName}, SaveOptions{}); !errors.Is(err, store.ErrDigest) {
		t.Errorf("damaged layer: %v", err)
	}
	if _, err := Load(t.Context(), &buf, openStore(t), LoadOptions{}); err == nil {
		t.Error("what was saved of a damaged image loads")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	buf.Reset()
	if err := Save(t.Context(), &buf, w.s, []string{twoName}, SaveOptions{}); !errors.Is(err, ErrMissing) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing layer: %v", err)
	}
	if buf.Len() > 0 {
		t.Errorf("%d bytes were written before it was noticed", buf.Len())
	}
}

var errFull = errors.New("no space left")

type shortWriter struct{ left int }

func (w *shortWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// T45: who has a name keeps it, unless the caller says otherwise.
func TestLoadNames(t *testing.T) {
	w := newWorld(t)
	file := saved(t, w.s, SaveOptions{}, oneName)
	for _, tc := range []struct {
		names NamePolicy
		taken bool
		want  Loaded
	}{
		{NewNames, false, Loaded{Names: []string{oneName}}},
		{NewNames, true, Loaded{Kept: []string{oneName}}},
		{AllNames, true, Loaded{Names: []string{oneName}}},
		{NoNames, false, Loaded{}},
		{NoNames, true, Loaded{}},
	} {
		s := openStore(t)
		own := putImage(t, s, runtime.GOARCH, rawLayer{plain, tarOf(t, entry{name: "own", body: "own"})})
		if tc.taken {
			tag(t, s, oneName, own)
		}
		loaded, err := Load(t.Context(), bytes.NewReader(file), s, LoadOptions{Names: tc.names})
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded[0]; !slices.Equal(got.Names, tc.want.Names) || !slices.Equal(got.Kept, tc.want.Kept) {
			t.Errorf("%+v: %+v", tc, got)
		}
		switch holder := names(t, s)[oneName]; {
		case tc.taken && tc.names != AllNames && holder != own.Digest.String(),
			len(tc.want.Names) > 0 && holder != w.one.Digest.String(),
			!tc.taken && tc.names == NoNames && holder != "":
			t.Errorf("%+v: the name is at %q", tc, holder)
		}
		if _, err := s.Resolve(w.one.Digest.String()); err != nil {
			t.Errorf("%+v: by digest: %v", tc, err)
		}
		// The same again changes nothing.
		if _, err := Load(t.Context(), bytes.NewReader(file), s, LoadOptions{Names: tc.names}); err != nil {
			t.Errorf("%+v, again: %v", tc, err)
		}
	}
}
