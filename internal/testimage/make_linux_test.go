package testimage_test

import (
	"archive/tar"
	"io"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/caisson-go/caisson/internal/testimage"
)

// What is made is an image by the rules of another library, under each tag and for each platform.
func TestImagesAreValid(t *testing.T) {
	for _, name := range testimage.Names() {
		t.Run(name, func(t *testing.T) {
			image := testimage.Open(t, name)
			index, err := layout.ImageIndexFromPath(image.Layout)
			check(t, err)
			// Not the layers: that library does not know zstd, nor a file that a layer has twice.
			check(t, validate.Index(index, validate.Fast))
			tags, err := image.Tags()
			check(t, err)
			if !slices.Contains(tags, "gzip") {
				t.Errorf("tags %q", tags)
			}
			for _, tag := range tags {
				_, err := image.Descriptor(tag)
				check(t, err)
			}
			if _, err := image.Descriptor("other"); err == nil {
				t.Error("there is a tag that nobody made")
			}
		})
	}
}

// The large image is as large as the figures that are measured with it say.
func TestLargeIsLarge(t *testing.T) {
	image := testimage.Open(t, "large")
	d, err := image.Descriptor("gzip")
	check(t, err)
	index, err := layout.ImageIndexFromPath(image.Layout)
	check(t, err)
	v, err := index.Image(d.Digest)
	check(t, err)
	m, err := v.Manifest()
	check(t, err)
	var compressed int64
	for _, l := range m.Layers {
		compressed += l.Size
	}
	files := 0
	for _, name := range image.Tars {
		names := slices.Sorted(slices.Values(entries(t, name)))
		files += len(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s has a file twice, which some programs refuse", name)
		}
	}
	t.Logf("%d layers, %d MB compressed, %d entries", len(m.Layers), compressed/1e6, files)
	if len(m.Layers) < 10 || compressed < 500e6 || files < 60_000 {
		t.Error("that is too small")
	}
}

// entries are the names in a tar.
func entries(t *testing.T, name string) (names []string) {
	t.Helper()
	f, err := os.Open(name)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names
		}
		check(t, err)
		names = append(names, path.Clean(h.Name))
	}
}
