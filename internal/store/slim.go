package store

import (
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	maxMediaType = 255 // RFC 6838, section 4.2: 127 for each of the two names
	maxPlatform  = 64  // of each string; the longest in use have about 20
)

// slim leaves of a descriptor what names an image: what else there is comes from the image, may be of any length, and
// would be in index.json once for each name, where every call reads it.
func slim(d v1.Descriptor) v1.Descriptor {
	s := v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	if p := d.Platform; p != nil {
		s.Platform = &v1.Platform{OS: short(p.OS), OSVersion: short(p.OSVersion), Architecture: short(p.Architecture), Variant: short(p.Variant)}
	}
	return s
}

// short cuts a string of a platform. What is cut is no platform that anybody asks for.
func short(s string) string {
	if len(s) > maxPlatform {
		s = s[:maxPlatform]
	}
	return strings.Clone(strings.ToValidUTF8(s, "")) // a clone: the rest need not stay in memory
}
