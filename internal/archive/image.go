package archive

import (
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

const (
	maxIndexes = 3    // indexes that refer to indexes
	maxParts   = 1000 // images for one platform each in one image for several
)

// image is what one name stands for: an image for one platform, or an index of several.
type image struct {
	desc    v1.Descriptor
	indexes []v1.Descriptor // desc if it is an index, and those below it
	parts   []part
	names   []string // full references
	tag     string   // what the archive calls it if that is no reference
	seen    map[v1.Hash]bool
}

// part is an image for one platform.
type part struct {
	desc v1.Descriptor
	m    *v1.Manifest
	c    *config // nil for what can not be run, such as the attestations that builders put in indexes
}

// load reads the documents of an image, and checks that everything they refer to is there. Of the images of an index
// those may be missing that were not saved; then nothing is known of them but the digest.
func (r *reading) load(d v1.Descriptor) (image, error) {
	img := image{desc: bare(d), seen: map[v1.Hash]bool{}}
	if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
		return img, fail(d.Digest.String(), fmt.Errorf("%w: media type %.100q", ErrFormat, d.MediaType), "")
	}
	if err := img.add(r, d, 0); err != nil {
		return img, err
	}
	if len(img.parts) == 0 {
		return img, fail(d.Digest.String(), fmt.Errorf("%w: every image of the index", ErrMissing), "save the image again")
	}
	if !slices.ContainsFunc(img.parts, func(p part) bool { return p.c != nil }) {
		return img, fail(d.Digest.String(), fmt.Errorf("%w: it has no root file system", ErrFormat), "")
	}
	return img, nil
}

func (img *image) add(r *reading, d v1.Descriptor, depth int) error {
	if err := r.count(); err != nil {
		return fail(d.Digest.String(), err, "")
	}
	if d.MediaType.IsImage() {
		p, err := r.part(d)
		if err != nil {
			return err
		}
		img.parts = append(img.parts, p)
		img.seen[d.Digest] = true
		return nil
	}
	if depth == maxIndexes {
		return fail(d.Digest.String(), fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes), "")
	}
	index, err := r.index(d)
	if err != nil {
		return err
	}
	img.indexes = append(img.indexes, bare(d))
	img.seen[d.Digest] = true
	for _, child := range index.Manifests {
		if len(img.parts) >= maxParts || len(img.indexes) >= maxParts {
			return fail(d.Digest.String(), fmt.Errorf("%w: more than %d images in an index", ErrTooLarge, maxParts), "")
		}
		if img.seen[child.Digest] || !child.MediaType.IsImage() && !child.MediaType.IsIndex() {
			continue
		}
		if err := img.child(r, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// child adds what an index names, unless it is missing, in whole or in part.
func (img *image) child(r *reading, d v1.Descriptor, depth int) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	err := r.present(d)
	if errors.Is(err, ErrMissing) {
		return r.missing(d)
	}
	if err == nil {
		err = img.add(r, d, depth)
	}
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}

// part reads the manifest and the configuration of an image for one platform.
func (r *reading) part(d v1.Descriptor) (part, error) {
	p := part{desc: bare(d)}
	var err error
	if p.m, err = r.manifest(d); err != nil {
		return p, err
	}
	for _, blob := range p.blobs() {
		if err := r.present(blob); err != nil {
			return p, err
		}
	}
	if runnable(p.m) {
		p.c, err = r.config(p.m.Config, len(p.m.Layers))
	}
	return p, err
}

// blobs lists what the manifest refers to, layers first.
func (p *part) blobs() []v1.Descriptor {
	return append(append([]v1.Descriptor{}, p.m.Layers...), p.m.Config)
}

// runnable reports an image in the sense of a root file system, not one of the other things that manifests describe.
func runnable(m *v1.Manifest) bool {
	if m.Config.MediaType != types.OCIConfigJSON && m.Config.MediaType != types.DockerConfigJSON {
		return false
	}
	for _, l := range m.Layers {
		if _, err := registry.IsPlain(l.MediaType); err != nil {
			return false
		}
	}
	return true
}

// platform is what the index says of a part, or else its configuration.
func (p *part) platform() v1.Platform {
	switch {
	case p.desc.Platform != nil:
		return *p.desc.Platform
	case p.c != nil && p.c.platform != nil:
		return v1.Platform{OS: p.c.platform.OS, Architecture: p.c.platform.Architecture, Variant: p.c.platform.Variant}
	}
	return v1.Platform{}
}

// fits reports whether a part is for the platform. An image that says nothing is for every one.
func (p *part) fits(want v1.Platform) bool {
	have := p.platform()
	return p.c != nil && (have.OS == "" || have.OS == want.OS) &&
		(have.Architecture == "" || have.Architecture == want.Architecture) &&
		(want.Variant == "" || have.Variant == "" || have.Variant == want.Variant)
}
