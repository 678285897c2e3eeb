package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// What the documents of an archive may cost, for each image that it may have, and for this many if those are fewer.
const (
	fewestImages   = 1024
	documentsEach  = 4         // manifests and indexes, counted as often as they are named
	documentsBytes = 256 << 10 // of documents, as often as they are decoded
)

// reading is the documents of one archive while they are read: what was decoded of them, and what they may still cost.
// An archive of a few megabytes can name the same documents a million times.
type reading struct {
	contents
	ctx   context.Context
	known *store.Store // where what the archive lacks may be already; nil: nowhere

	documents, mostDocuments int   // left, and at first
	bytes, mostBytes         int64 // left, and at first

	manifests map[manifestKey]*v1.Manifest
	configs   map[v1.Hash]*config
}

// manifestKey is a manifest as a descriptor has it: its media type is part of how it is read.
type manifestKey struct {
	digest    v1.Hash
	mediaType types.MediaType
}

// config is what is kept of a configuration.
type config struct {
	platform *v1.Platform // nil: it says nothing of one
	diffIDs  []v1.Hash
}

func newReading(ctx context.Context, c contents, known *store.Store, images int) *reading {
	images = max(images, fewestImages)
	r := &reading{contents: c, ctx: ctx, known: known,
		mostDocuments: images * documentsEach, mostBytes: int64(images) * documentsBytes,
		manifests: map[manifestKey]*v1.Manifest{}, configs: map[v1.Hash]*config{}}
	r.documents, r.bytes = r.mostDocuments, r.mostBytes
	return r
}

// count takes one manifest or index from what there may be.
func (r *reading) count() error {
	if r.documents--; r.documents < 0 {
		return fmt.Errorf("%w: more than %d manifests and indexes", ErrTooLarge, r.mostDocuments)
	}
	return r.ctx.Err()
}

// document reads a small blob, verifies it, and takes its size from what there may be.
func (r *reading) document(d v1.Descriptor) ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	b, err := document(r.contents, d)
	if err != nil {
		return nil, err
	}
	if r.bytes -= d.Size; r.bytes < 0 {
		return nil, fail(d.Digest.String(), fmt.Errorf("%w: documents of more than %d bytes", ErrTooLarge, r.mostBytes), "")
	}
	return b, nil
}

// manifest reads the manifest of an image, once.
func (r *reading) manifest(d v1.Descriptor) (*v1.Manifest, error) {
	key := manifestKey{d.Digest, d.MediaType}
	if m, ok := r.manifests[key]; ok {
		return m, r.present(d)
	}
	b, err := r.document(d)
	if err != nil {
		return nil, err
	}
	m, err := store.DecodeManifest(b, d.MediaType)
	if err != nil {
		return nil, fail(d.Digest.String(), err, "")
	}
	kept := &v1.Manifest{Config: bare(m.Config), Layers: make([]v1.Descriptor, len(m.Layers))}
	for i, l := range m.Layers {
		kept.Layers[i] = bare(l)
	}
	r.manifests[key] = kept
	return kept, nil
}

// config reads the configuration of an image with that many layers, once.
func (r *reading) config(d v1.Descriptor, layers int) (*config, error) {
	if c, ok := r.configs[d.Digest]; ok && len(c.diffIDs) == layers {
		return c, r.present(d)
	}
	b, err := r.document(d)
	if err != nil {
		return nil, err
	}
	c, err := store.DecodeConfig(b, layers)
	if err != nil {
		return nil, fail(d.Digest.String(), err, "")
	}
	kept := &config{diffIDs: c.RootFS.DiffIDs, platform: barePlatform(c.Platform())}
	r.configs[d.Digest] = kept
	return kept, nil
}

// index reads an index. Each time: what it names is not kept.
func (r *reading) index(d v1.Descriptor) (*v1.IndexManifest, error) {
	b, err := r.document(d)
	if err != nil {
		return nil, err
	}
	index, err := store.DecodeIndex(b, d.MediaType)
	return index, fail(d.Digest.String(), err, "")
}

// missing judges what an index names and the archive lacks, as archives do that were made for one platform. If the store
// has it, the index stands for it from now on, so it has to be what the index says.
func (r *reading) missing(d v1.Descriptor) error {
	if r.known == nil {
		return nil
	}
	there := &reading{contents: anySize{stored{r.known}}, ctx: r.ctx, bytes: r.bytes, mostBytes: r.mostBytes,
		manifests: map[manifestKey]*v1.Manifest{}}
	var err error
	if d.MediaType.IsImage() {
		_, err = there.manifest(d)
	} else {
		_, err = there.index(d)
	}
	r.bytes = there.bytes
	if errors.Is(err, ErrMissing) || errors.Is(err, store.ErrDigest) { // what is damaged in the store is no fault of the archive
		return nil
	}
	return err
}

// anySize is the content of the store for descriptors that may lie about a size, which what reads a blob finds out.
type anySize struct{ stored }

func (s anySize) present(d v1.Descriptor) error {
	rc, err := s.Open(d.Digest)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrMissing
	}
	if err != nil {
		return fail(d.Digest.String(), err, "")
	}
	return rc.Close()
}

// bare is a descriptor without what nobody reads later and a hostile document has much of.
func bare(d v1.Descriptor) v1.Descriptor {
	return v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, Platform: barePlatform(d.Platform)}
}

// barePlatform cuts what no platform has: its words are short.
func barePlatform(p *v1.Platform) *v1.Platform {
	if p == nil {
		return nil
	}
	return &v1.Platform{OS: word(p.OS), Architecture: word(p.Architecture), Variant: word(p.Variant), OSVersion: word(p.OSVersion)}
}

func word(s string) string { return strings.Clone(s[:min(len(s), 64)]) }
