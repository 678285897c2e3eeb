package registry

import (
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

const (
	// maxSources bounds the other repositories that a token is asked for, and mountTries those that are tried for a blob.
	maxSources = 8
	mountTries = 2
)

// sources finds repositories of the registry that should have blobs of the tree: those that images of the store with the
// same layers are named after. Whether they do, the registry says.
func sources(s *store.Store, r Reference, t *tree) map[v1.Hash][]string {
	wanted := map[v1.Hash]bool{}
	for _, b := range t.blobs {
		wanted[b.Digest] = true
	}
	own := r.ref.Context()
	out := map[v1.Hash][]string{}
	for img, err := range s.Images() {
		other, perr := Parse(img.Ref)
		if err != nil || perr != nil || other.Host() != r.Host() || other.ref.Context().RepositoryStr() == own.RepositoryStr() {
			continue
		}
		repo := other.ref.Context().RepositoryStr()
		for _, l := range img.Manifest.Layers {
			if wanted[l.Digest] && len(out[l.Digest]) < mountTries && !slices.Contains(out[l.Digest], repo) {
				out[l.Digest] = append(out[l.Digest], repo)
			}
		}
	}
	return out
}

// largestFirst orders what is worked on by several at once: the largest takes longest, and the others fit in beside it.
func largestFirst[T any](list []T, size func(T) int64) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int {
		switch {
		case size(a) > size(b):
			return -1
		case size(a) < size(b):
			return 1
		}
		return 0
	})
	return list
}
