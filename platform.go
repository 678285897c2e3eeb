package caisson

import (
	"errors"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// parsePlatform reads a platform: "linux/arm64", "linux/arm/v7", or an architecture alone, which is Linux's. An empty one
// is nil.
func parsePlatform(s string) (*v1.Platform, error) {
	if s == "" {
		return nil, nil
	}
	full := s
	if !strings.Contains(s, "/") {
		full = "linux/" + s
	}
	p, err := v1.ParsePlatform(full)
	if err == nil && (p.OS == "" || p.Architecture == "") {
		err = errors.New("not a platform")
	}
	if err != nil {
		return nil, &Error{"platform", s, err, "write it as linux/arm64 or linux/arm/v7"}
	}
	return p, nil
}
