package serve

import (
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
)

// kind is the kind of thing that a path names.
type kind int

const (
	ping kind = iota
	catalogPath
	tagsPath
	referrersPath
	manifestPath
	blobPath
	uploadsPath
	uploadPath
)

// route is a path, taken apart. All that comes from it later is of a type that can not name a file: a repository and a
// tag by the grammar of the specification, a digest.
type route struct {
	kind   kind
	repo   string
	tag    string  // of a manifest that is not named by digest
	digest v1.Hash // of a blob, a manifest or a subject
	upload string  // compared with those there are
}

// parse takes the path of a request apart, from the end: the components of a repository may be called like anything.
func parse(path string) (route, *answer) {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok || rest != "" && rest[0] != '/' {
		return route{}, refuse(http.StatusNotFound, nameUnknown, "paths here begin with /v2/")
	}
	rest = strings.TrimPrefix(rest, "/")
	switch rest {
	case "":
		return route{kind: ping}, nil
	case "_catalog":
		return route{kind: catalogPath}, nil
	}
	parts := strings.Split(rest, "/")
	r, n := shape(parts)
	if n == 0 {
		return route{}, refuse(http.StatusNotFound, nameUnknown, "no such path in the distribution specification")
	}
	r.repo = strings.Join(parts[:len(parts)-n], "/")
	if !validRepository(r.repo) {
		return route{}, refuse(http.StatusBadRequest, nameInvalid, "%.300q is not the name of a repository", r.repo)
	}
	return r, r.last(parts[len(parts)-1])
}

// shape finds the kind of a path, and how many components at its end say so.
func shape(parts []string) (route, int) {
	n := len(parts)
	at := func(i int) string { // from the end
		if i > n {
			return ""
		}
		return parts[n-i]
	}
	switch {
	case at(3) == "blobs" && at(2) == "uploads" && at(1) != "":
		return route{kind: uploadPath}, 3
	case at(3) == "blobs" && at(2) == "uploads":
		return route{kind: uploadsPath}, 3
	case at(2) == "blobs" && at(1) == "uploads":
		return route{kind: uploadsPath}, 2
	case at(2) == "blobs":
		return route{kind: blobPath}, 2
	case at(2) == "manifests":
		return route{kind: manifestPath}, 2
	case at(2) == "referrers":
		return route{kind: referrersPath}, 2
	case at(2) == "tags" && at(1) == "list":
		return route{kind: tagsPath}, 2
	}
	return route{}, 0
}

// last reads the last component.
func (r *route) last(s string) *answer {
	switch r.kind {
	case uploadPath:
		r.upload = s
		return nil
	case manifestPath:
		if !strings.Contains(s, ":") {
			if !validTag(s) {
				return refuse(http.StatusNotFound, manifestUnknown, "%.300q is not a tag", s)
			}
			r.tag = s
			return nil
		}
	case blobPath, referrersPath:
	default:
		return nil
	}
	var err *answer
	r.digest, err = parseDigest(s)
	return err
}

// parseDigest reads a digest that can be one of the store's.
func parseDigest(s string) (v1.Hash, *answer) {
	h, err := v1.NewHash(s)
	if err != nil || h.Algorithm != "sha256" || h.String() != s {
		return v1.Hash{}, refuse(http.StatusBadRequest, digestInvalid, "%.300q is not a sha256 digest", s)
	}
	return h, nil
}

// validRepository reports the name of a repository, whose first component may be a host with a port.
func validRepository(s string) bool {
	if _, err := registry.Parse("localhost/" + s + ":x"); err == nil && len(s) <= 255 {
		return true
	}
	ref, err := registry.Parse(s + ":x")
	return err == nil && len(s) <= 255 && ref.Host() == firstComponent(s)
}

func firstComponent(s string) string {
	first, _, _ := strings.Cut(s, "/")
	return first
}

func validTag(s string) bool {
	_, err := registry.Parse("localhost/x:" + s)
	return err == nil && !strings.ContainsAny(s, ":/@")
}
