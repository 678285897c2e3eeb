package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// images lists what an archive has, by manifest.json, by index.json, or by both if they agree.
func (s *scan) images(m *made, l Limits) ([]image, error) {
	l = l.withDefaults()
	r := newReading(s.ctx, m, m.s, l.Images)
	var entries []dockerEntry
	var err error
	if b, ok := s.docs[manifestName]; ok {
		if entries, err = decodeDocker(b, l.Images); err != nil {
			return nil, err
		}
	}
	var list []image
	switch {
	case s.docs[indexName] != nil || s.docs[layoutName] != nil:
		list, err = s.layout(r, m, entries, l.Images)
	case s.docs[manifestName] != nil:
		list, err = s.docker(r, m, entries)
	default:
		err = s.neither()
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fail("", fmt.Errorf("%w: it names no image", ErrFormat), "")
	}
	return list, checkNames(list, 4*l.Images)
}

func (s *scan) neither() error {
	hint := "give it a file made by save; a tar file of a root file system is for import"
	if s.seen["repositories"] {
		hint = "the archive is of a Docker before version 1.10; save the image with a newer one"
	}
	return fail("", fmt.Errorf("%w: neither %s nor %s is in it", ErrFormat, manifestName, indexName), hint)
}

// docker lists the images of a docker-archive.
func (s *scan) docker(r *reading, m *made, entries []dockerEntry) ([]image, error) {
	var list []image
	for _, e := range entries {
		img, err := s.dockerImage(r, e, m)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(other image) bool { return other.desc.Digest == img.desc.Digest })
		if i < 0 {
			i, list = len(list), append(list, img)
		}
		if err := list[i].tags(e.RepoTags, v1.Hash{}, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// tags gives an image the names of manifest.json, except those that another image with the same configuration has: such
// images differ in their packing alone, and manifest.json can not tell them apart.
func (img *image) tags(tags []string, config v1.Hash, others []image) error {
	for _, name := range tags {
		if strings.HasPrefix(name, "<none>") {
			continue
		}
		full, err := fullName(name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o image) bool { return o.hasConfig(config) && slices.Contains(o.names, full) }) {
			continue
		}
		if err := img.name(full); err != nil {
			return err
		}
	}
	return nil
}

// layout lists the images of an image layout. What manifest.json says, if there is one, has to be there too, or readers
// of the one would see other images than readers of the other. The configuration decides that, as it determines the
// content of all layers.
func (s *scan) layout(r *reading, m *made, entries []dockerEntry, images int) ([]image, error) {
	index, err := decodeLayout(s.docs, images)
	if err != nil {
		return nil, err
	}
	configs := map[v1.Hash]dockerEntry{}
	for _, e := range entries {
		f, err := s.resolve(e.Config)
		if err != nil {
			return nil, err
		}
		configs[f.digest] = e
	}
	list, err := layoutImages(index, func(d v1.Descriptor) (image, error) { return s.layoutImage(r, m, d, configs) })
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		f, _ := s.resolve(e.Config) // went well before
		i := slices.IndexFunc(list, func(img image) bool { return img.hasConfig(f.digest) })
		if i < 0 {
			return nil, fail(e.Config, fmt.Errorf("%w: %s has an image that %s has not", ErrFormat, manifestName, indexName), "save the image again")
		}
		if err := list[i].tags(e.RepoTags, f.digest, list); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// layoutImage reads an image of index.json. Docker 25.0 wrote manifests there without their layers, or with the layers
// in disorder; for those manifest.json is what counts.
func (s *scan) layoutImage(r *reading, m *made, d v1.Descriptor, configs map[v1.Hash]dockerEntry) (image, error) {
	if !d.MediaType.IsImage() {
		return r.load(d)
	}
	list, err := r.manifest(d)
	if err != nil {
		return image{}, err
	}
	if e, ok := configs[list.Config.Digest]; ok && !r.agrees(list) {
		return s.dockerImage(r, e, m)
	}
	return r.load(d)
}

// agrees reports whether a manifest has the layers that its configuration has, as far as that can be seen.
func (r *reading) agrees(list *v1.Manifest) bool {
	c, err := r.config(list.Config, len(list.Layers))
	if err != nil {
		return !errors.Is(err, store.ErrDocument) // load reports all others
	}
	for i, l := range list.Layers {
		if plain, err := registry.IsPlain(l.MediaType); err == nil && plain && l.Digest != c.diffIDs[i] {
			return false
		}
	}
	return true
}

func (img *image) hasConfig(h v1.Hash) bool {
	return slices.ContainsFunc(img.parts, func(p part) bool { return p.m.Config.Digest == h })
}

// checkNames refuses a name that two images have.
func checkNames(list []image, most int) error {
	owner := map[string]v1.Hash{}
	for _, img := range list {
		for _, name := range img.names {
			if was, ok := owner[name]; ok && was != img.desc.Digest {
				return fail(name, fmt.Errorf("%w: two images have the name", ErrFormat), "load it without names, or save the images again")
			}
			owner[name] = img.desc.Digest
		}
	}
	if len(owner) > most {
		return fail("", fmt.Errorf("%w: more than %d names", ErrTooLarge, most), "if the archive is trusted, raise the limits")
	}
	return nil
}

// digestIn returns the digest of a reference that has one.
func digestIn(ref string) (string, bool) {
	_, digest, ok := strings.Cut(ref, "@")
	return digest, ok
}
