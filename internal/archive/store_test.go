package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// entry is an entry of a tar file.
type entry struct {
	name, body, link string
	typ              byte // zero is a regular file
	mode             int64
	uid              int
	time             int64
	pax              map[string]string
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.typ, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.uid,
			ModTime: time.Unix(e.time, 0), PAXRecords: e.pax}
		if e.typ == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.body))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func packed(t testing.TB, p packing, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch p {
	case plain:
		return b
	case gzipped:
		w = gzip.NewWriter(&buf)
	case zstandard:
		z, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		t.Fatal("no such writer")
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func putBlob(t testing.TB, s *store.Store, mt types.MediaType, b []byte) v1.Descriptor {
	t.Helper()
	d := v1.Descriptor{MediaType: mt, Size: int64(len(b)), Digest: digestOf(b)}
	if err := s.PutBlob(t.Context(), d.Digest, d.Size, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return d
}

func putJSON(t testing.TB, s *store.Store, mt types.MediaType, v any) v1.Descriptor {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return putBlob(t, s, mt, b)
}

// rawLayer is a layer as it goes into an image.
type rawLayer struct {
	p   packing
	tar []byte
}

func platformConfig(arch string, layers ...rawLayer) v1.ConfigFile {
	c := v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{Cmd: []string{"/hello"}}}
	for _, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digestOf(l.tar))
	}
	return c
}

// putImage stores an image, without a name.
func putImage(t testing.TB, s *store.Store, arch string, layers ...rawLayer) v1.Descriptor {
	t.Helper()
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{}}
	for _, l := range layers {
		m.Layers = append(m.Layers, putBlob(t, s, l.p.mediaType(), packed(t, l.p, l.tar)))
		if layer.Supported {
			open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.tar)), nil }
			if err := s.PutLayer(t.Context(), digestOf(l.tar), open, layer.Defaults()); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := platformConfig(arch, layers...)
	if err := s.Cover(t.Context(), config.RootFS.DiffIDs, layer.Defaults()); err != nil {
		t.Fatal(err)
	}
	m.Config = putJSON(t, s, types.OCIConfigJSON, config)
	d := putJSON(t, s, m.MediaType, m)
	d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
	return d
}

func tag(t testing.TB, s *store.Store, name string, d v1.Descriptor) {
	t.Helper()
	if err := s.Tag(t.Context(), name, d); err != nil {
		t.Fatal(err)
	}
}

// names lists what a store has: every name with its digest.
func names(t testing.TB, s *store.Store) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir(), "index.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, d := range index.Manifests {
		list[d.Annotations[refName]] = d.Digest.String()
	}
	return list
}

// blobs lists the blobs of a store.
func blobs(t testing.TB, s *store.Store) []string {
	t.Helper()
	list, _ := os.ReadDir(filepath.Join(s.Dir(), "blobs/sha256"))
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// noStaging fails if something is left in staging.
func noStaging(t testing.TB, s *store.Store) {
	t.Helper()
	if list, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(list) > 0 {
		t.Errorf("left in staging: %v", list)
	}
}

func saved(t testing.TB, s *store.Store, o SaveOptions, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Save(t.Context(), &buf, s, names, o); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// list reads a tar file.
func list(t testing.TB, file []byte) []entry {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(file))
	var out []entry
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		e := entry{name: h.Name, body: string(b), link: h.Linkname, typ: h.Typeflag, mode: h.Mode, uid: h.Uid,
			time: h.ModTime.Unix(), pax: h.PAXRecords}
		if e.typ == tar.TypeReg {
			e.typ = 0
		}
		out = append(out, e)
	}
}
