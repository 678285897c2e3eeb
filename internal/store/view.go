package store

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// view is index.json as it was at one moment, with the documents that it leads to.
type view struct {
	s       *Store
	root    disk
	index   *v1.IndexManifest
	indexes map[v1.Hash]flat    // what leaves has found
	configs map[v1.Hash]v1.Hash // of manifests
}

// look reads index.json.
func (s *Store) look(root disk) (*view, error) {
	index, err := readIndex(root)
	if err != nil {
		return nil, s.unreadable(err)
	}
	return s.lookAt(root, index), nil
}

// unreadable is the error about index.json, without which a store is of no use.
func (s *Store) unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was written yet
		return err
	case errors.Is(err, ErrDocument):
		return &Error{Op: "open", Path: s.dir, Err: err, Hint: "put back an index.json that is whole, or remove the directory and pull again"}
	}
	return s.unusable(err)
}

func (s *Store) lookAt(root disk, index *v1.IndexManifest) *view {
	return &view{s: s, root: root, index: index, indexes: map[v1.Hash]flat{}, configs: map[v1.Hash]v1.Hash{}}
}

// config is the digest of a manifest's configuration, zero if the manifest is not here or damaged.
func (v *view) config(d v1.Descriptor) v1.Hash {
	if h, ok := v.configs[d.Digest]; ok {
		return h
	}
	var h v1.Hash
	if b, err := readBlob(v.root, d.Digest); err == nil {
		if m, err := DecodeManifest(b, d.MediaType); err == nil {
			h = m.Config.Digest
		}
	}
	v.configs[d.Digest] = h
	return h
}

// contains reports whether an entry is that manifest, or an index with it.
func (v *view) contains(entry v1.Descriptor, manifest v1.Hash) bool {
	if entry.Digest == manifest {
		return true
	}
	leaves, err := v.leaves(entry)
	return err == nil && slices.ContainsFunc(leaves, func(d v1.Descriptor) bool { return d.Digest == manifest })
}

// names are all the names of a manifest, in the order of index.json.
func (v *view) names(manifest v1.Hash) []string {
	var names []string
	for _, d := range v.index.Manifests {
		if name := d.Annotations[refName]; name != "" && v.contains(d, manifest) {
			names = append(names, name)
		}
	}
	return names
}

// choose picks the manifest of an entry for a platform: of those that are here the first with the same variant, or
// else, if no variant is asked for, the first that runs on every machine of the architecture. Nil asks for this
// machine's own, unless the entry is a manifest itself: that is taken as it is.
func (v *view) choose(entry v1.Descriptor, want *v1.Platform) (v1.Descriptor, error) {
	leaves, err := v.leaves(entry)
	if err != nil || !entry.MediaType.IsIndex() && want == nil {
		return entry, err
	}
	if want == nil {
		want = Here()
	}
	var there []string
	missing := false
	for _, exact := range []bool{true, false} {
		for _, d := range leaves {
			here := hasFile(v.root, d.Digest)
			p := d.Platform
			if p == nil && here {
				p = v.platform(d)
			}
			if p == nil {
				continue
			}
			if exact && here {
				there = append(there, p.String())
			}
			switch fits := RunsOn(*p, *want, exact); {
			case fits && here:
				return d, nil
			case fits:
				missing = true
			}
		}
	}
	if missing {
		return v1.Descriptor{}, fmt.Errorf("%w: the image for %s is not here", fs.ErrNotExist, want)
	}
	if len(there) > 10 {
		there = append(there[:10], "...")
	}
	return v1.Descriptor{}, fmt.Errorf("%w (%w): there is none for %s, only for %.500q", ErrPlatform, fs.ErrNotExist, want, strings.Join(there, ", "))
}

// platform is what the configuration of a manifest says; an image that says nothing runs on this machine.
func (v *view) platform(d v1.Descriptor) *v1.Platform {
	b, err := readBlob(v.root, v.config(d))
	if err != nil {
		return nil
	}
	c, err := decodeAnyConfig(b)
	if err != nil {
		return nil
	}
	p := v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = runtime.GOARCH
	}
	return &p
}

// held reports an image that must stay: somebody uses it, or something stands on it.
func (v *view) held(manifest v1.Hash) bool {
	return inUse(v.root, manifest) || v.s.holds != nil && v.s.holds(manifest)
}
