package registry

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
			if runsOn(*d.Platform, want, exact) {
				return d, nil
			}
		}
	}
	if len(there) > 10 {
		there = append(there[:10], "...")
	}
	return v1.Descriptor{}, fmt.Errorf("%w: there is none for %s, only for %.500q", ErrPlatform, want, strings.Join(there, ", "))
}

// runsOn reports whether an image for one platform runs on another.
func runsOn(have, want v1.Platform, exact bool) bool {
	if have.OS != want.OS || have.Architecture != want.Architecture {
		return false
	}
	if exact || want.Variant != "" {
		return variant(have) == variant(want)
	}
	// amd64/v2 and later need newer processors; every arm64 machine runs the variants there are.
	return have.Architecture != "amd64"
}

// variant names the lowest variant of an architecture, which is mostly left unsaid.
func variant(p v1.Platform) string {
	switch {
	case p.Variant != "":
		return p.Variant
	case p.Architecture == "amd64":
		return "v1"
	case p.Architecture == "arm64":
		return "v8"
	}
	return ""
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
	if have.OS != want.OS || have.Architecture != want.Architecture || want.Variant != "" && variant(have) != variant(want) {
		return fmt.Errorf("%w: it is for %.100q, not %s", ErrPlatform, have.String(), want)
	}
	return nil
}
