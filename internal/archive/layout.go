package archive

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

const (
	// refName and imageName are the annotations by which index.json names images: the image specification's, which
	// some writers give a full reference and others a tag alone, and containerd's, a full reference.
	refName   = "org.opencontainers.image.ref.name"
	imageName = "io.containerd.image.name"

	layoutVersion = "1.0.0"
)

// decodeLayout reads the two documents of an image layout.
func decodeLayout(docs map[string][]byte, images int) (*v1.IndexManifest, error) {
	var layout struct {
		Version string `json:"imageLayoutVersion"`
	}
	b, ok := docs[layoutName]
	if !ok {
		return nil, fail(layoutName, ErrMissing, "an image layout has this file beside "+indexName)
	}
	if err := store.DecodeObject(b, &layout); err != nil {
		return nil, fail(layoutName, err, "")
	}
	if layout.Version != layoutVersion {
		return nil, fail(layoutName, fmt.Errorf("%w: version %.20q, not %s", ErrFormat, layout.Version, layoutVersion), "")
	}
	if b, ok = docs[indexName]; !ok {
		return nil, fail(indexName, ErrMissing, "an image layout has this file")
	}
	index, err := store.DecodeIndex(b, types.OCIImageIndex)
	if err != nil {
		return nil, fail(indexName, err, "")
	}
	if len(index.Manifests) > images {
		return nil, fail(indexName, fmt.Errorf("%w: more than %d images", ErrTooLarge, images), "if the archive is trusted, raise the limits")
	}
	return index, nil
}

// layoutImages lists what index.json names. Entries for the same image become one with several names.
func layoutImages(index *v1.IndexManifest, read func(v1.Descriptor) (image, error)) ([]image, error) {
	var list []image
	for _, d := range index.Manifests {
		i := slices.IndexFunc(list, func(img image) bool { return img.desc.Digest == d.Digest })
		if i < 0 {
			img, err := read(d)
			if err != nil {
				return nil, err
			}
			i, list = len(list), append(list, img)
		}
		if err := list[i].nameBy(d.Annotations); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// nameBy gives the image the name that annotations have.
func (img *image) nameBy(annotations map[string]string) error {
	if name := annotations[imageName]; name != "" {
		return img.name(name)
	}
	name := annotations[refName]
	if name == "" || bareTag(name) {
		img.tag = name
		return nil
	}
	return img.name(name)
}

// bareTag reports a name that is a tag alone, as some writers give: of which repository is not said.
func bareTag(name string) bool {
	return !slices.ContainsFunc([]byte(name), func(c byte) bool { return c == '/' || c == ':' || c == '@' })
}

// name gives the image a name in full. One with a digest must tell the truth: what is asked for by digest later is
// looked up by this name.
func (img *image) name(name string) error {
	full, err := fullName(name)
	if err != nil {
		return err
	}
	if digest, ok := digestIn(full); ok && digest != img.desc.Digest.String() {
		return fail(name, fmt.Errorf("%w: the image is %s", store.ErrDigest, img.desc.Digest), "load it without names")
	}
	if !slices.Contains(img.names, full) {
		img.names = append(img.names, full)
	}
	return nil
}

func fullName(name string) (string, error) {
	ref, err := registry.Parse(name)
	if err != nil {
		return "", fail(name, fmt.Errorf("%w: %w", store.ErrName, err), "load it without names")
	}
	return ref.String(), nil
}
