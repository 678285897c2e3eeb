package archive

import (
	"bytes"
	"slices"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testimage"
	"github.com/caisson-go/caisson/internal/testneed"
)

// Real images keep their digests through both formats, and through other stores their bytes.
func TestRealImages(t *testing.T) {
	testneed.Root(t)
	for _, name := range []string{"busybox", "multi", "odd"} {
		t.Run(name, func(t *testing.T) {
			real := testimage.Open(t, name)
			o := LoadOptions{Layer: &layer.Options{Devices: true}}
			first := openStore(t)
			loaded, err := LoadDir(t.Context(), real.Layout, first, o)
			must(t, err)
			var digests []string
			for _, l := range loaded {
				digests = append(digests, l.Digest.String())
			}
			for _, format := range []Format{DockerArchive, OCIArchive} {
				file := saved(t, first, SaveOptions{Format: format}, digests...)
				s := openStore(t)
				again, err := Load(t.Context(), bytes.NewReader(file), s, o)
				must(t, err)
				for _, l := range again {
					if !slices.Contains(digests, l.Digest.String()) {
						t.Errorf("%s was not saved", l.Digest)
					}
				}
				if len(again) != len(digests) {
					t.Errorf("%d images became %d", len(digests), len(again))
				}
				if !bytes.Equal(saved(t, s, SaveOptions{Format: format}, digests...), file) {
					t.Error("saved again it is another file")
				}
			}
		})
	}
}
