package store

import (
	"io/fs"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// minPrefix is how many digits of a digest at least name an image.
const minPrefix = 4

// match is an entry of index.json that somebody has named.
type match struct {
	entry    v1.Descriptor
	manifest *v1.Descriptor // the one of the entry's that was named; nil if it was the entry as a whole
	byName   bool
}

// find returns the entries for a name, of which there is one, or for a digest or the beginning of one: of an entry, a
// manifest or a configuration. A digest may also stand behind a name and an "@".
//
// Errors: fs.ErrNotExist; *AmbiguousError.
func (v *view) find(ref string) ([]match, error) {
	for _, d := range v.index.Manifests {
		if d.Annotations[refName] == ref && ref != "" {
			return []match{{entry: d, byName: true}}, nil
		}
	}
	id, at := ref, strings.LastIndexByte(ref, '@')
	if at >= 0 {
		id = ref[at+1:]
	}
	prefix := strings.TrimPrefix(id, "sha256:")
	whole := len(prefix) == 64
	if len(prefix) < minPrefix || len(prefix) > 64 || !isHex(prefix) || at >= 0 && (!whole || prefix == id) {
		return nil, fs.ErrNotExist
	}
	found := map[v1.Hash][]match{}
	v.matchEntries(prefix, found)
	if !whole || len(found) == 0 {
		v.matchInside(prefix, found)
	}
	switch len(found) {
	case 0:
		return nil, fs.ErrNotExist
	case 1:
		for _, matches := range found {
			return matches, nil
		}
	}
	return nil, ambiguous(ref, found)
}

// matchEntries finds the entries themselves.
func (v *view) matchEntries(prefix string, found map[v1.Hash][]match) {
	for _, d := range v.index.Manifests {
		if strings.HasPrefix(d.Digest.Hex, prefix) {
			found[d.Digest] = append(found[d.Digest], match{entry: d})
		}
	}
}

// matchInside finds manifests in indexes, and configurations. What is damaged can not be found so.
func (v *view) matchInside(prefix string, found map[v1.Hash][]match) {
	for _, d := range v.index.Manifests {
		leaves, err := v.leaves(d)
		if err != nil {
			continue
		}
		for _, m := range leaves {
			if m.Digest != d.Digest && strings.HasPrefix(m.Digest.Hex, prefix) && hasFile(v.root, m.Digest) {
				found[m.Digest] = append(found[m.Digest], match{entry: d, manifest: &m})
			}
			if c := v.config(m); strings.HasPrefix(c.Hex, prefix) {
				found[c] = append(found[c], match{entry: d, manifest: &m})
			}
		}
	}
}

func ambiguous(ref string, found map[v1.Hash][]match) error {
	e := &AmbiguousError{Ref: ref}
	for h := range found {
		e.Candidates = append(e.Candidates, h)
	}
	slices.SortFunc(e.Candidates, func(a, b v1.Hash) int { return strings.Compare(a.Hex, b.Hex) })
	return e
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
