package store

import (
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// RunsOn reports whether an image for one platform runs on another. With exact the variants must be the same; without, an
// image also runs where no variant is asked for, if every machine of the architecture runs it. Source: OCI image-spec,
// image-index.md, "Platform Variants".
func RunsOn(have, want v1.Platform, exact bool) bool {
	if have.OS != want.OS || have.Architecture != want.Architecture {
		return false
	}
	if exact || want.Variant != "" {
		return Variant(have) == Variant(want)
	}
	// amd64/v2 and later need newer processors; every arm64 machine runs the variants there are.
	return have.Architecture != "amd64"
}

// Variant is the variant of a platform, and if that is left unsaid, as it mostly is, the lowest of its architecture;
// empty for an architecture without variants.
func Variant(p v1.Platform) string {
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

// Here is Linux on the architecture of this program, without a variant.
func Here() *v1.Platform { return &v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// RunsHere reports whether a platform is Linux on the architecture of this program, whichever the variant. Nil, of an
// image that says nothing, is not.
func RunsHere(p *v1.Platform) bool {
	return p != nil && p.OS == "linux" && p.Architecture == runtime.GOARCH
}
