package registry

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// choose picks the image of an index for a platform: the first with the same variant, or else, if no variant is asked
// for, the first that runs on every machine of the architecture.
func choose(index *v1.IndexManifest, want v1.Platform) (v1.Descriptor, error) {
	var there []string
	for _, exact := range []bool{true, false} {
		for _, d := range index.Manifests {
			if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
				continue
			}
			if d.Platform == nil {
				if len(index.Manifests) == 1 {
					return d, nil // an index around one image; its configuration tells the platform
				}
				continue
			}
			if exact {
				there = append(there, d.Platform.String())
			}
			if store.RunsOn(*d.Platform, want, exact) {
				return d, nil
			}
		}
	}
	if len(there) > 10 {
		there = append(there[:10], "...")
	}
	return v1.Descriptor{}, fmt.Errorf("%w: there is none for %s, only for %.500q", ErrPlatform, want, strings.Join(there, ", "))
}

// fits checks the platform that an image's own configuration names. An image that names none runs anywhere.
func fits(c *v1.ConfigFile, want v1.Platform) error {
	have := v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	if have.OS == "" {
		have.OS = want.OS
	}
	if have.Architecture == "" {
		have.Architecture = want.Architecture
	}
	if have.OS != want.OS || have.Architecture != want.Architecture || want.Variant != "" && store.Variant(have) != store.Variant(want) {
		return fmt.Errorf("%w: it is for %.100q, not %s", ErrPlatform, have.String(), want)
	}
	return nil
}
