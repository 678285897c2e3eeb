package archive

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// stored is the content of the store.
type stored struct{ s *store.Store }

func (s stored) present(d v1.Descriptor) error {
	if !s.s.HasBlob(d.Digest, d.Size) {
		return fail(d.Digest.String(), ErrMissing, "pull the image again")
	}
	return nil
}

// Open opens a blob of the store.
func (s stored) Open(h v1.Hash) (io.ReadCloser, error) { return s.s.Blob(h) }

func (s stored) keep(context.Context, v1.Descriptor) error { return nil }

// outgoing is what is to be saved.
type outgoing struct {
	s     stored
	items []item
	blobs []v1.Descriptor        // documents before layers, each by digest
	plain map[v1.Hash]plainLayer // by the digest of the blob
}

// item is one entry of index.json.
type item struct {
	name string // full reference, or "" for an image that was asked for by digest
	img  image
}

// find finds the images, in an order that does not depend on that of names.
func find(s *store.Store, names []string) ([]item, error) {
	if len(names) == 0 {
		return nil, fail("", fs.ErrInvalid, "name an image")
	}
	var items []item
	for _, name := range names {
		d, err := s.Descriptor(name)
		if err != nil {
			return nil, fail(name, err, "")
		}
		it := item{img: image{desc: d}}
		if name == d.Annotations[refName] {
			it.name = name
		}
		items = append(items, it)
	}
	order := func(a, b item) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.img.desc.Digest.Hex, b.img.desc.Digest.Hex))
	}
	slices.SortFunc(items, order)
	return slices.CompactFunc(items, func(a, b item) bool { return order(a, b) == 0 }), nil
}

// gather finds everything that the images refer to.
func gather(ctx context.Context, s *store.Store, items []item) (*outgoing, error) {
	r := newReading(ctx, stored{s}, nil, len(items))
	for i := range items {
		var err error
		if items[i].img, err = r.load(items[i].img.desc); err != nil {
			return nil, err
		}
	}
	out := &outgoing{s: stored{s}, items: items}
	out.blobs = out.list()
	return out, nil
}

// list lists every blob once.
func (o *outgoing) list() []v1.Descriptor {
	var docs, layers []v1.Descriptor
	seen := map[v1.Hash]bool{}
	add := func(to *[]v1.Descriptor, all ...v1.Descriptor) {
		for _, d := range all {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				*to = append(*to, d)
			}
		}
	}
	for _, it := range o.items {
		add(&docs, it.img.indexes...)
		for _, p := range it.img.parts {
			add(&docs, p.desc, p.m.Config)
		}
	}
	for _, it := range o.items {
		for _, p := range it.img.parts {
			add(&layers, p.m.Layers...)
		}
	}
	byDigest := func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.Hex, b.Digest.Hex) }
	slices.SortFunc(docs, byDigest)
	slices.SortFunc(layers, byDigest)
	return append(docs, layers...)
}
