package archive

import (
	"errors"
	"path"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// The names of an OCI image layout and of a docker-archive that mean something.
	layoutName   = "oci-layout"
	indexName    = "index.json"
	manifestName = "manifest.json"
	blobsDir     = "blobs/"
	sha256Dir    = blobsDir + "sha256/"

	maxName = 1024 // bytes in the name of an entry; the longest that writers make has 150
	maxHops = 8    // links to links; writers make one
)

// cleanName reads the name of an entry: relative, without "..", at most maxName bytes. "./a//b" is "a/b"; the root of
// the archive is "".
func cleanName(name string) (string, error) {
	if len(name) > maxName {
		return "", fail(name, errors.Join(ErrTooLarge, ErrEntry), "")
	}
	if name == "" || name[0] == '/' || strings.ContainsAny(name, "\x00\\") {
		return "", fail(name, ErrEntry, "")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			return "", fail(name, ErrEntry, "")
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), nil
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// blobName reads the name of a blob in an image layout. ok is false for other names; a name below blobs/sha256 that is
// no digest is an error.
func blobName(name string) (h v1.Hash, ok bool, err error) {
	hex, ok := strings.CutPrefix(name, sha256Dir)
	if !ok || hex == "" {
		return v1.Hash{}, false, nil
	}
	if !hexDigest.MatchString(hex) {
		return v1.Hash{}, false, fail(name, ErrEntry, "")
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex}, true, nil
}

// linkTarget is the name that a link of the archive stands for. Only text is looked at; what leads out of the archive
// is refused.
func linkTarget(name, target string, symbolic bool) (string, error) {
	if symbolic {
		if strings.HasPrefix(target, "/") {
			return "", fail(name, ErrEntry, "")
		}
		target = path.Join(path.Dir(name), target) // cleans, so that what leads out begins with ".."
	}
	return cleanName(target)
}
