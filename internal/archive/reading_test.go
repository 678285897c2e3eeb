package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// layoutFile is an archive with an image layout that is being put together.
type layoutFile struct {
	t       testing.TB
	entries []entry
}

func (l *layoutFile) blob(mt types.MediaType, b []byte) v1.Descriptor {
	l.entries = append(l.entries, entry{name: sha256Dir + digestOf(b).Hex, body: string(b)})
	return v1.Descriptor{MediaType: mt, Digest: digestOf(b), Size: int64(len(b))}
}

func (l *layoutFile) json(mt types.MediaType, v any) v1.Descriptor {
	l.t.Helper()
	b, err := json.Marshal(v)
	must(l.t, err)
	return l.blob(mt, b)
}

// manifest is one of an image without layers; n makes its digest another.
func (l *layoutFile) manifest(config v1.Descriptor, n int) v1.Descriptor {
	return l.json(types.OCIManifestSchema1, v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config,
		Layers: []v1.Descriptor{}, Annotations: map[string]string{"n": fmt.Sprint(n)}})
}

func (l *layoutFile) index(n int, list ...v1.Descriptor) v1.Descriptor {
	return l.json(types.OCIImageIndex, indexOf(n, list))
}

func indexOf(n int, list []v1.Descriptor) v1.IndexManifest {
	return v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list,
		Annotations: map[string]string{"n": fmt.Sprint(n)}}
}

func (l *layoutFile) file(list ...v1.Descriptor) io.Reader {
	l.t.Helper()
	b, err := json.Marshal(indexOf(0, list))
	must(l.t, err)
	return bytes.NewReader(tarOf(l.t, append(l.entries, entry{name: indexName, body: string(b)},
		entry{name: layoutName, body: `{"imageLayoutVersion":"1.0.0"}`})...))
}

// A configuration that many manifests share is decoded once.
func TestLoadSharedConfig(t *testing.T) {
	l := &layoutFile{t: t}
	c := platformConfig(runtime.GOARCH)
	for i := range 10_000 {
		c.History = append(c.History, v1.History{CreatedBy: fmt.Sprint(i)})
	}
	config := l.json(types.OCIConfigJSON, c)
	var list []v1.Descriptor
	for i := range 50 {
		list = append(list, l.manifest(config, i))
	}
	r := l.file(l.index(1, list...))
	s := openStore(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load(t.Context(), r, s, LoadOptions{Names: NoNames})
	runtime.ReadMemStats(&after)
	must(t, err)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("loading a configuration of %d bytes that 50 images share allocates %d MiB", config.Size, n>>20)
	}
}

// However few documents an archive has, it can name them very often.
func TestLoadTooManyDocuments(t *testing.T) {
	l := &layoutFile{t: t}
	config := l.json(types.OCIConfigJSON, platformConfig(runtime.GOARCH))
	var images, indexes []v1.Descriptor
	for i := range 100 {
		images = append(images, l.manifest(config, i))
	}
	for i := range 45 {
		indexes = append(indexes, l.index(i, images...))
	}
	s := openStore(t)
	if _, err := Load(t.Context(), l.file(indexes...), s, LoadOptions{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("4500 manifests: %v", err)
	}
	if n := names(t, s); len(n) > 0 {
		t.Errorf("visible: %v", n)
	}
	if _, err := Load(t.Context(), l.file(indexes[:5]...), s, LoadOptions{}); err != nil {
		t.Errorf("500 manifests: %v", err)
	}
}

func TestReadingBytesAreBounded(t *testing.T) {
	w := newWorld(t)
	r := newReading(t.Context(), stored{w.s}, nil, 1)
	if _, err := r.load(w.multi); err != nil {
		t.Fatal(err)
	}
	r.bytes = w.multi.Size - 1 // what it names is known already
	if _, err := r.load(w.multi); !errors.Is(err, ErrTooLarge) {
		t.Errorf("beyond the bytes: %v", err)
	}
}

// cancelling is content whose first opening ends a context.
type cancelling struct {
	contents
	cancel context.CancelFunc
	opened int
}

// Open counts.
func (c *cancelling) Open(h v1.Hash) (io.ReadCloser, error) {
	c.opened++
	c.cancel()
	return c.contents.Open(h)
}

func TestReadingEndsWithContext(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &cancelling{contents: stored{w.s}, cancel: cancel}
	if _, err := newReading(ctx, c, nil, 1).load(w.multi); !errors.Is(err, context.Canceled) || c.opened != 1 {
		t.Errorf("%v after %d documents", err, c.opened)
	}
}

// What an index names and the archive lacks may be in the store as something else.
func TestLoadIndexOfOtherThings(t *testing.T) {
	for name, tc := range map[string]struct {
		mt   types.MediaType
		more int64
		want error
	}{
		"layer as manifest":      {types.OCIManifestSchema1, 0, store.ErrDocument},
		"layer as index":         {types.OCIImageIndex, 0, store.ErrDocument},
		"manifest of other size": {types.OCIManifestSchema1, 1, store.ErrSize},
		"nothing to be read":     {"application/vnd.example", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			other := putBlob(t, s, tc.mt, []byte(strings.Repeat("[", 1000)))
			other.Size += tc.more
			l := &layoutFile{t: t}
			good := l.manifest(l.json(types.OCIConfigJSON, platformConfig(runtime.GOARCH)), 0)
			absent := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf([]byte("absent")), Size: 6}
			if _, err := Load(t.Context(), l.file(l.index(0, good, absent, other)), s, LoadOptions{}); !errors.Is(err, tc.want) {
				t.Errorf("%v, not %v", err, tc.want)
			}
		})
	}
}
