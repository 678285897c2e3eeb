package store

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An index that names another many times, which does so too, stands for more manifests than there is memory. So what
// comes twice counts once, and what is below an index is found once for all that refer to it.

const (
	maxIndexes = 3    // that refer to one another
	maxInner   = 64   // different indexes in one; honest ones have none or a few
	maxLeaves  = 4096 // different manifests below an index; honest ones have some dozens
)

// flat is what an index comes to.
type flat struct {
	leaves []v1.Descriptor
	height int // of indexes one above the other; 1 if there is none in it
	err    error
}

// leaves are the manifests that an entry stands for: itself, or those of the index that it is. They need not be in the
// store: of an index for many platforms it mostly has one.
func (v *view) leaves(d v1.Descriptor) ([]v1.Descriptor, error) {
	if !d.MediaType.IsIndex() {
		return []v1.Descriptor{d}, nil
	}
	f := v.below(d, 1)
	return f.leaves, f.err
}

// below finds what an index comes to, once: an error, too, is what it is for every name of the index.
func (v *view) below(d v1.Descriptor, depth int) flat {
	if f, ok := v.indexes[d.Digest]; ok {
		if f.err == nil && depth+f.height-1 > maxIndexes {
			return flat{err: tooDeep()}
		}
		return f
	}
	f := v.flatten(d, depth)
	if f.err == nil || depth == 1 { // below another, it may be too deep there alone
		v.indexes[d.Digest] = f
	}
	return f
}

func tooDeep() error { return documentError("indexes nested deeper than %d", maxIndexes) }

func (v *view) flatten(d v1.Descriptor, depth int) flat {
	if depth > maxIndexes {
		return flat{err: tooDeep()}
	}
	b, err := readBlob(v.root, d.Digest)
	if err != nil {
		return flat{err: err}
	}
	index, err := DecodeIndex(b, d.MediaType)
	if err != nil {
		return flat{err: err}
	}
	l := gathering{seen: map[leaf]bool{}}
	inner := map[v1.Hash]bool{}
	height := 1
	for _, c := range index.Manifests {
		switch {
		case c.MediaType.IsImage():
			err = l.add(slim(c))
		case c.MediaType.IsIndex() && !inner[c.Digest] && hasFile(v.root, c.Digest):
			if inner[c.Digest] = true; len(inner) > maxInner {
				return flat{err: documentError("more than %d indexes in an index", maxInner)}
			}
			f := v.below(c, depth+1)
			height = max(height, f.height+1)
			if err = f.err; err == nil {
				err = l.add(f.leaves...)
			}
		}
		if err != nil {
			return flat{err: err}
		}
	}
	return flat{leaves: l.list, height: height}
}

// gathering is a list of manifests without those that come twice. One may come for several platforms.
type gathering struct {
	list []v1.Descriptor
	seen map[leaf]bool
}

type leaf struct {
	digest                             v1.Hash
	os, version, architecture, variant string
}

func (l *gathering) add(found ...v1.Descriptor) error {
	for _, d := range found {
		k := leaf{digest: d.Digest}
		if p := d.Platform; p != nil {
			k.os, k.version, k.architecture, k.variant = p.OS, p.OSVersion, p.Architecture, p.Variant
		}
		if l.seen[k] {
			continue
		}
		if len(l.list) == maxLeaves {
			return documentError("more than %d manifests in an index", maxLeaves)
		}
		l.seen[k] = true
		l.list = append(l.list, d)
	}
	return nil
}
