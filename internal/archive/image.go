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
}

// part is an image for one platform.
type part struct {
	desc v1.Descriptor
	m    *v1.Manifest
	c    *v1.ConfigFile // nil for what can not be run, such as the attestations that builders put in indexes
}

// load reads the documents of an image, and checks that everything they refer to is there. Of the images of an index
// those may be missing that were not saved; then nothing is known of them but the digest.
func load(c contents, d v1.Descriptor) (image, error) {
	img := image{desc: d}
	if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
		return img, fail(d.Digest.String(), fmt.Errorf("%w: media type %.100q", ErrFormat, d.MediaType), "")
	}
	if err := img.add(c, d, 0); err != nil {
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

func (img *image) add(c contents, d v1.Descriptor, depth int) error {
	if d.MediaType.IsImage() {
		p, err := readPart(c, d)
		if err != nil {
			return err
		}
		img.parts = append(img.parts, p)
		return nil
	}
	if depth == maxIndexes {
		return fail(d.Digest.String(), fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes), "")
	}
	b, err := document(c, d)
	if err != nil {
		return err
	}
	index, err := store.DecodeIndex(b, d.MediaType)
	if err != nil {
		return fail(d.Digest.String(), err, "")
	}
	img.indexes = append(img.indexes, d)
	for _, child := range index.Manifests {
		if len(img.parts) >= maxParts || len(img.indexes) >= maxParts {
			return fail(d.Digest.String(), fmt.Errorf("%w: more than %d images in an index", ErrTooLarge, maxParts), "")
		}
		if img.has(child.Digest) || !child.MediaType.IsImage() && !child.MediaType.IsIndex() {
			continue
		}
		if err := img.add(c, child, depth+1); err != nil && !errors.Is(err, ErrMissing) {
			return err
		}
	}
	return nil
}

func (img *image) has(h v1.Hash) bool {
	for _, d := range img.indexes {
		if d.Digest == h {
			return true
		}
	}
	for _, p := range img.parts {
		if p.desc.Digest == h {
			return true
		}
	}
	return false
}

// readPart reads the manifest and the configuration of an image for one platform.
func readPart(c contents, d v1.Descriptor) (part, error) {
	p := part{desc: d}
	b, err := document(c, d)
	if err != nil {
		return p, err
	}
	if p.m, err = store.DecodeManifest(b, d.MediaType); err != nil {
		return p, fail(d.Digest.String(), err, "")
	}
	for _, blob := range p.blobs() {
		if err := c.present(blob); err != nil {
			return p, err
		}
	}
	if !runnable(p.m) {
		return p, nil
	}
	if b, err = document(c, p.m.Config); err != nil {
		return p, err
	}
	p.c, err = store.DecodeConfig(b, len(p.m.Layers))
	return p, fail(p.m.Config.Digest.String(), err, "")
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
	case p.c != nil:
		return v1.Platform{OS: p.c.OS, Architecture: p.c.Architecture, Variant: p.c.Variant}
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
