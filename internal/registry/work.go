package registry

import (
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

const (
	// maxIndexes bounds the indexes that refer to indexes.
	maxIndexes = 3

	// maxImages bounds the images of an index that are pulled together. Those in use have 20, with an attestation each.
	maxImages = 128

	// maxDocuments bounds the manifests, indexes and configurations of a pull, in bytes. They are in memory together
	// until the layers are there. Those in use have a few kB each.
	maxDocuments = 64 << 20

	// maxTogether bounds the layers of all images of an index, packed.
	maxTogether = 4 * store.MaxImage
)

// work is what a pull has to do.
type work struct {
	top       v1.Descriptor // gets the name
	documents []document    // each behind those that it refers to
	layers    []piece
	stack     []v1.Hash      // diff ids of the image that is unpacked; nil: none is
	known     map[blob][]int // where in layers a blob is
	room      int64          // bytes of documents that there may still be
}

// blob is what is fetched of a layer.
type blob struct {
	digest v1.Hash
	size   int64
}

// hold makes room for a document.
func (w *work) hold(size int64) error {
	if w.room -= size; w.room < 0 {
		return fmt.Errorf("%w: the manifests and configurations together", ErrTooLarge)
	}
	return nil
}

// piece is a layer of an image.
type piece struct {
	desc   v1.Descriptor
	diffID v1.Hash // zero for a layer that is not unpacked
}

// plan reads all documents, and so finds out what else there is to fetch. Nothing is stored yet.
func (p *puller) plan(ctx context.Context) (*work, error) {
	top, err := p.named(ctx)
	if err != nil {
		return nil, p.explain(ctx, "manifest", err)
	}
	w := &work{room: p.o.documents}
	if p.o.AllPlatforms && top.desc.MediaType.IsIndex() {
		err = p.planAll(ctx, w, top)
	} else {
		err = p.planOne(ctx, w, top)
	}
	return w, p.explain(ctx, "manifest", err)
}

// planOne plans the image for the platform. The index that it was chosen from is kept as well: then the next pull need
// not fetch it again.
func (p *puller) planOne(ctx context.Context, w *work, top document) error {
	path, err := p.descend(ctx, top)
	if err != nil {
		return err
	}
	d := path[len(path)-1]
	c, err := p.planImage(ctx, w, d, true)
	if err != nil {
		return err
	}
	w.documents = append(w.documents, path[:len(path)-1]...)
	if named, err := lookup(p.s, p.ref.String()); err == nil && top.desc.MediaType.IsIndex() && named.Digest == top.desc.Digest {
		w.top = top.desc // the name is that of the whole index, pulled for all platforms, and stays so
		return nil
	}
	w.top = d.desc
	w.top.Platform = c.Platform()
	return nil
}

// descend chooses by platform, from the top down to a manifest.
func (p *puller) descend(ctx context.Context, top document) ([]document, error) {
	path := []document{top}
	for d := top; d.desc.MediaType.IsIndex(); {
		if len(path) > maxIndexes {
			return nil, fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes)
		}
		index, err := store.DecodeIndex(d.raw, d.desc.MediaType)
		if err != nil {
			return nil, err
		}
		chosen, err := choose(index, *p.o.Platform)
		if err != nil {
			return nil, err
		}
		if d, err = p.document(ctx, chosen); err != nil {
			return nil, err
		}
		path = append(path, d)
	}
	return path, nil
}

// planImage plans one image. One that is not for our platform, or no image to be run at all, is fetched as it is.
func (p *puller) planImage(ctx context.Context, w *work, d document, ours bool) (*v1.ConfigFile, error) {
	m, err := store.DecodeManifest(d.raw, d.desc.MediaType)
	if err != nil {
		return nil, err
	}
	if m.Config.Size > store.MaxDocument {
		return nil, fmt.Errorf("%w: configuration %s", ErrTooLarge, m.Config.Digest)
	}
	if err := w.hold(d.desc.Size + m.Config.Size); err != nil {
		return nil, err
	}
	parts := make([]piece, len(m.Layers))
	for i, l := range m.Layers { // before anything is fetched
		parts[i].desc = v1.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size} // what else it says is not needed
		if !ours {
			continue
		}
		if _, err := compressionOf(l.MediaType); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
		}
	}
	raw, err := p.smallBlob(ctx, m.Config)
	if err != nil {
		return nil, p.explain(ctx, "config", err)
	}
	var c *v1.ConfigFile
	if ours {
		if c, err = p.config(w, raw, m, parts); err != nil {
			return nil, p.explain(ctx, "config", err)
		}
	}
	w.add(parts)
	w.documents = append(w.documents, raw, d)
	return c, nil
}

// config reads the configuration of the image that is to be run.
func (p *puller) config(w *work, raw document, m *v1.Manifest, parts []piece) (*v1.ConfigFile, error) {
	c, err := store.DecodeConfig(raw.raw, len(m.Layers))
	if err != nil {
		return nil, err
	}
	for i := range parts {
		if layer.Supported {
			parts[i].diffID = c.RootFS.DiffIDs[i]
		}
	}
	if layer.Supported {
		w.stack = c.RootFS.DiffIDs
	}
	return c, fits(c, *p.o.Platform)
}

// add puts in layers. One that comes twice is fetched once; it may have to be unpacked for one of two images only.
func (w *work) add(parts []piece) {
	if w.known == nil {
		w.known = map[blob][]int{}
	}
	for _, n := range parts {
		b := blob{n.desc.Digest, n.desc.Size}
		i := slices.IndexFunc(w.known[b], func(i int) bool {
			old := w.layers[i].diffID
			return old == n.diffID || old == (v1.Hash{}) || n.diffID == (v1.Hash{})
		})
		if i < 0 {
			w.known[b] = append(w.known[b], len(w.layers))
			w.layers = append(w.layers, n)
		} else if old := &w.layers[w.known[b][i]]; old.diffID == (v1.Hash{}) {
			*old = n
		}
	}
}
