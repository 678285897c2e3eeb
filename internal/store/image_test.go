package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/caisson-go/caisson/internal/layer"
)

// open makes a store in a directory of the test's.
func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "state"))
}

func openAt(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func digest(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func reader(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// put stores an image of uncompressed layers under ref, without a registry.
func put(t testing.TB, s *Store, ref string, layers ...[]byte) v1.Descriptor {
	t.Helper()
	d, err := tryPut(t.Context(), s, ref, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tryPut is put as programs do it: announced, and with errors.
func tryPut(ctx context.Context, s *Store, ref string, layers ...[]byte) (v1.Descriptor, error) {
	release, err := s.Begin(ctx)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer release()
	var diffIDs []v1.Hash
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	blob := func(mt types.MediaType, b []byte) (v1.Descriptor, error) {
		d := v1.Descriptor{MediaType: mt, Size: int64(len(b)), Digest: digest(b)}
		return d, s.PutBlob(ctx, d.Digest, d.Size, bytes.NewReader(b))
	}
	for _, l := range layers {
		d, err := blob(types.OCIUncompressedLayer, l)
		if err != nil {
			return d, err
		}
		m.Layers = append(m.Layers, d)
		diffIDs = append(diffIDs, digest(l))
		if !layer.Supported {
			continue
		}
		if err := s.PutLayer(ctx, digest(l), reader(l), layer.Defaults()); err != nil {
			return d, err
		}
	}
	if err := s.Cover(ctx, diffIDs, layer.Defaults()); err != nil {
		return v1.Descriptor{}, err
	}
	c, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs}})
	if err != nil {
		return v1.Descriptor{}, err
	}
	if m.Config, err = blob(types.OCIConfigJSON, c); err != nil {
		return m.Config, err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := blob(m.MediaType, b)
	if err != nil {
		return d, err
	}
	return d, s.Tag(ctx, ref, d)
}

func TestStoreImage(t *testing.T) {
	s := open(t)
	a, b := tarOf(t, "a", "1"), tarOf(t, "b", "2")
	d := put(t, s, "docker.io/library/test:1", a, b)
	put(t, s, "docker.io/library/other:latest", b)
	for _, name := range []string{"docker.io/library/test:1", d.Digest.String(), "docker.io/else/where@" + d.Digest.String()} {
		img, err := s.Resolve(name)
		if err != nil {
			t.Fatal(err)
		}
		if img.Ref != "docker.io/library/test:1" || img.Digest != d.Digest || img.Config.OS != "linux" {
			t.Errorf("Resolve(%s) = %+v", name, img)
		}
		if !layer.Supported {
			continue
		}
		if len(img.Layers) != 2 || img.Layers[0] != s.LayerDir(digest(a)) || img.Layers[1] != s.LayerDir(digest(b)) {
			t.Errorf("layers = %v", img.Layers)
		}
		if got, err := os.ReadFile(filepath.Join(img.Layers[1], "b")); err != nil || string(got) != "2" {
			t.Errorf("file of layer 2 = %q, %v", got, err)
		}
	}
	n := 0
	for img, err := range s.Images() {
		if err != nil || img.Ref == "" {
			t.Errorf("Images yields %+v, %v", img, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d images", n)
	}
	for range s.Images() {
		break // leaving early is allowed
	}
}

// The directory is an OCI image layout for other tools.
func TestStoreIsLayout(t *testing.T) {
	s := open(t)
	put(t, s, "docker.io/library/test:1", tarOf(t, "a", "1"))
	path, err := layout.FromPath(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
}

func TestStoreTag(t *testing.T) {
	s := open(t)
	one := put(t, s, "name:1", tarOf(t, "a", "1"))
	two := put(t, s, "name:1", tarOf(t, "a", "2")) // takes the name
	img, err := s.Resolve("name:1")
	if err != nil || img.Digest != two.Digest {
		t.Errorf("after retagging: %v, %v", img.Digest, err)
	}
	if img, err := s.Resolve(one.Digest.String()); err != nil || img.Ref != "" || len(img.Names) != 0 {
		t.Errorf("an image without a name: %+v, %v", img, err)
	}
	for _, ref := range []string{"", "a b", "a\nb", "a\x00", "é", string(make([]byte, 600))} {
		if err := s.Tag(t.Context(), ref, one); !errors.Is(err, ErrName) {
			t.Errorf("Tag(%q) = %v", ref, err)
		}
	}
	missing := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest([]byte("none")), Size: 4}
	if err := s.Tag(t.Context(), "x", missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Tag of what is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Tag(ctx, "x", one); !errors.Is(err, context.Canceled) {
		t.Errorf("Tag with a cancelled context: %v", err)
	}
}

func TestStoreEmpty(t *testing.T) {
	s := open(t)
	for _, err := range s.Images() {
		t.Errorf("Images yields %v", err)
	}
	if _, err := s.Resolve("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Resolve: %v", err)
	}
	if _, err := s.Blob(digest(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Blob: %v", err)
	}
	if _, err := os.Lstat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
	if _, err := Open(""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open(\"\"): %v", err)
	}
}

// T47, as far as it goes yet: what is read of a damaged image is noticed, and pulling again repairs it.
func TestStoreDamage(t *testing.T) {
	s := open(t)
	d := put(t, s, "name:1", tarOf(t, "a", "1"))
	flip := func(h v1.Hash) {
		path := filepath.Join(s.Dir(), "blobs/sha256", h.Hex)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip(d.Digest)
	if _, err := s.Resolve("name:1"); !errors.Is(err, ErrDigest) {
		t.Errorf("damaged manifest: %v", err)
	}
	for _, err := range s.Images() {
		if !errors.Is(err, ErrDigest) {
			t.Errorf("Images: %v", err)
		}
	}
	if err := s.CheckBlob(t.Context(), d.Digest); !errors.Is(err, ErrDigest) {
		t.Errorf("CheckBlob: %v", err)
	}
	if s.HasBlob(d.Digest, d.Size) {
		t.Error("the damaged blob is still there")
	}
	put(t, s, "name:1", tarOf(t, "a", "1"))
	if _, err := s.Resolve("name:1"); err != nil {
		t.Error(err)
	}
	if err := s.CheckBlob(t.Context(), d.Digest); err != nil {
		t.Error(err)
	}
}

// tarOf is a layer of one file.
func tarOf(t testing.TB, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// manyFiles is a layer of n files of that size.
func manyFiles(t testing.TB, n, size int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := range n {
		h := &tar.Header{Name: fmt.Sprintf("d%d/f%d", i%3, i), Size: int64(size), Mode: 0o644, Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
