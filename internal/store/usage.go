package store

import (
	"context"
	"errors"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Usage is what a store takes on the disk. Sizes are in bytes: of blobs as they are, of unpacked layers the sum of the
// sizes of their files; names, directories and what the file system adds are not counted.
type Usage struct {
	Images []ImageUsage // one for each entry of index.json that differs in what it points to

	Blobs  Count // indexes, manifests, configurations and packed layers
	Layers Count // unpacked

	// Reclaimable is what Prune with All would free now.
	Reclaimable int64
}

// Count is a number of objects and their size together.
type Count struct {
	Number int
	Bytes  int64
}

// ImageUsage is what one image takes. Size is Shared and Unique together.
type ImageUsage struct {
	Names  []string
	Digest v1.Hash // of what the names point to, a manifest or an index
	Images int     // manifests that are here: one, or those of an index
	Size   int64
	Shared int64 // of that, what other images have too
	Unique int64 // of that, what no other image has
	InUse  bool  // a container uses it
}

// DiskUsage adds up what the store takes. Images that change meanwhile may be counted half.
//
// Errors: *Error around ctx.Err(), ErrDocument (index.json), the errno. A damaged image is counted as far as it can be read.
func (s *Store) DiskUsage(ctx context.Context) (Usage, error) {
	root, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, wrap("usage", s.dir, err)
	}
	defer root.Close()
	u, err := s.diskUsage(ctx, root)
	return u, wrap("usage", s.dir, err)
}

func (s *Store) diskUsage(ctx context.Context, root disk) (Usage, error) {
	v, err := s.look(root)
	if errors.Is(err, fs.ErrNotExist) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, err
	}
	a := account{v: v, users: map[object]int{}, used: map[object]bool{}}
	if err := a.measure(ctx); err != nil {
		return Usage{}, err
	}
	var u Usage
	sets := a.images(ctx, &u)
	for i, set := range sets {
		for o := range set {
			if a.users[o] > 1 {
				u.Images[i].Shared += a.sizes[o]
			} else {
				u.Images[i].Unique += a.sizes[o]
			}
		}
		u.Images[i].Size = u.Images[i].Shared + u.Images[i].Unique
	}
	for o, size := range a.sizes {
		c := &u.Blobs
		if o.layer {
			c = &u.Layers
		}
		c.Number++
		c.Bytes += size
		if !a.used[o] {
			u.Reclaimable += size
		}
	}
	return u, nil
}

// object is a blob or an unpacked layer.
type object struct {
	hex   string
	layer bool
}

// account is the book of DiskUsage.
type account struct {
	v     *view
	sizes map[object]int64
	users map[object]int  // images that have it
	used  map[object]bool // by an image in use, or a writer
}

// measure finds the size of every object.
func (a *account) measure(ctx context.Context) error {
	a.sizes = map[object]int64{}
	root := a.v.root
	err := eachName(root, "blobs/sha256", func(name string) error {
		if fi, err := root.Lstat("blobs/sha256/" + name); err == nil {
			a.sizes[object{name, false}] = fi.Size()
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	err = eachName(root, "layers", func(name string) error {
		r, _ := readRecord(root, v1.Hash{Algorithm: "sha256", Hex: name})
		a.sizes[object{name, true}] = r.Bytes
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	kept, err := noted(ctx, root)
	for hex := range kept {
		a.used[object{hex, false}], a.used[object{hex, true}] = true, true
	}
	return err
}

// images lists the entries, and what objects each has.
func (a *account) images(ctx context.Context, u *Usage) []map[object]bool {
	at := map[v1.Hash]int{}
	var sets []map[object]bool
	for _, d := range a.v.index.Manifests {
		i, ok := at[d.Digest]
		if !ok {
			i = len(sets)
			at[d.Digest] = i
			set := a.objects(d)
			sets = append(sets, set)
			u.Images = append(u.Images, a.image(ctx, d, set))
		}
		if name := d.Annotations[refName]; name != "" {
			u.Images[i].Names = append(u.Images[i].Names, name)
		}
	}
	return sets
}

func (a *account) objects(d v1.Descriptor) map[object]bool {
	r, set := newReach(), map[object]bool{}
	_ = r.add(a.v.root, d.Digest, true) // as far as it goes
	for h := range r.blobs {
		set[object{h.Hex, false}] = true
	}
	for h := range r.layers {
		set[object{h.Hex, true}] = true
	}
	for o := range set {
		a.users[o]++
	}
	return set
}

func (a *account) image(ctx context.Context, d v1.Descriptor, set map[object]bool) ImageUsage {
	iu := ImageUsage{Digest: d.Digest, InUse: a.v.shownInUse(ctx, d)}
	leaves, _ := a.v.leaves(d)
	for _, m := range leaves {
		if hasFile(a.v.root, m.Digest) {
			iu.Images++
		}
	}
	if iu.InUse {
		for o := range set {
			a.used[o] = true
		}
	}
	return iu
}
