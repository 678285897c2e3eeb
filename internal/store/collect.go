package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Removed is what a removal has removed.
type Removed struct {
	Untagged []string  // names that are gone
	Blobs    []v1.Hash // indexes, manifests, configurations and packed layers that are gone
	Layers   []v1.Hash // unpacked layers that are gone, by their diff ids
	Bytes    int64     // what all that had: the size of blobs, and of the files in layers
}

func (r *Removed) add(o Removed) {
	r.Blobs = append(r.Blobs, o.Blobs...)
	r.Layers = append(r.Layers, o.Layers...)
	r.Bytes += o.Bytes
}

// collector removes what nothing refers to. The lock "gc" is held alone while it does, and given back before what it
// has moved away is removed for good.
type collector struct {
	root  disk
	kept  reach
	noted map[string]bool // by living writers
	only  *reach          // nothing but this is removed; nil is everything
	trash []string
	Removed
}

// collect removes what no entry of the index leads to, no image in use, and no living writer's list.
func collect(ctx context.Context, root disk, index *v1.IndexManifest, held func(v1.Hash) bool, only *reach) (*collector, error) {
	c := &collector{root: root, kept: newReach(), only: only}
	c.kept.held = held
	for _, d := range index.Manifests {
		if err := c.kept.add(root, d.Digest, true); err != nil {
			return c, &Error{Op: "collect", Path: d.Digest.String(), Err: fmt.Errorf("what the image refers to is not known: %w", err),
				Hint: "pull the image again, or remove it"}
		}
	}
	var err error
	if c.noted, err = noted(ctx, root); err != nil {
		return c, err
	}
	if err := c.keepUsed(); err != nil {
		return c, err
	}
	err = c.each("blobs/sha256", func(h v1.Hash) error { return c.blob(h) })
	if err != nil {
		return c, err
	}
	return c, c.each("layers", func(h v1.Hash) error { return c.layer(h) })
}

// each calls f for every object in a directory that has the name of a digest.
func (c *collector) each(dir string, f func(v1.Hash) error) error {
	var all []v1.Hash // before anything is removed: that could confuse the listing
	err := eachName(c.root, dir, func(name string) error {
		if h := (v1.Hash{Algorithm: "sha256", Hex: name}); checkHash(h) == nil {
			all = append(all, h)
		}
		return nil
	})
	for _, h := range all {
		if err != nil {
			break
		}
		err = f(h)
	}
	return err
}

// keepUsed keeps images that are in use and have no entry.
func (c *collector) keepUsed() error {
	return c.each("blobs/sha256", func(h v1.Hash) error {
		if c.kept.read[h] > 0 || !inUse(c.root, h) && !(mayBeManifest(c.root, h) && c.kept.needs(h)) {
			return nil
		}
		return c.kept.add(c.root, h, true)
	})
}

// mayBeManifest spares those who are asked for what stands on an image a question for every layer.
func mayBeManifest(root disk, h v1.Hash) bool {
	if !isDocument(root, h) {
		return false
	}
	f, err := openBlob(root, h)
	if err != nil {
		return true
	}
	defer f.Close()
	var first [1]byte
	n, err := f.Read(first[:])
	switch {
	case err != nil:
		return err != io.EOF
	case n == 1 && first[0] != '{' && first[0] > ' ': // no JSON object, so that it need not be read
		return false
	}
	d, err := readDocument(root, h)
	return err != nil || d.Config != nil
}

// spared reports an object that stays for now.
func (c *collector) spared(h v1.Hash, kept map[v1.Hash]bool, only func(*reach) map[v1.Hash]bool) bool {
	return kept[h] || c.noted[h.Hex] || c.only != nil && !only(c.only)[h]
}

func (c *collector) blob(h v1.Hash) error {
	if c.spared(h, c.kept.blobs, func(r *reach) map[v1.Hash]bool { return r.blobs }) {
		return nil
	}
	path := "blobs/sha256/" + h.Hex
	fi, err := c.root.Lstat(path)
	if err != nil {
		return err
	}
	if err := c.take(path); err != nil {
		return err
	}
	c.Blobs = append(c.Blobs, h)
	c.Bytes += fi.Size()
	return nil
}

func (c *collector) layer(h v1.Hash) error {
	if c.spared(h, c.kept.layers, func(r *reach) map[v1.Hash]bool { return r.layers }) {
		return nil
	}
	r, _ := readRecord(c.root, h)
	if err := c.take("layers/" + h.Hex); err != nil {
		return err
	}
	c.Layers = append(c.Layers, h)
	c.Bytes += r.Bytes
	return nil
}

// take moves an object out of sight, where any sweep removes it. A rename takes no room, as a rule; where there is
// none for it the object is removed at once, the record of a layer first.
func (c *collector) take(path string) error {
	to := "staging/.rm-" + rand.Text()
	err := c.root.Rename(path, to)
	if err == nil {
		c.trash = append(c.trash, to)
		return nil
	}
	if !isFull(err) {
		return err
	}
	_ = c.root.Remove(path + "/record.json")
	return c.root.RemoveTree(path)
}

// empty removes for good what was taken. What can not be removed now is, by a later sweep.
func (c *collector) empty() error {
	var first error
	for _, path := range c.trash {
		if err := c.root.RemoveTree(path); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// drop takes entries out of index.json, and then removes what nothing refers to. On a full disk that fails at first,
// perhaps; then what nothing refers to already is removed to make room.
func drop(ctx context.Context, root disk, gone func(v1.Descriptor) bool, held func(v1.Hash) bool, only *reach) (*collector, error) {
	var index *v1.IndexManifest
	var names []string
	change := func(i *v1.IndexManifest) error {
		n := len(i.Manifests)
		names = nil
		for _, d := range i.Manifests {
			if name := d.Annotations[refName]; name != "" && gone(d) {
				names = append(names, name)
			}
		}
		i.Manifests = slices.DeleteFunc(i.Manifests, gone)
		if index = i; len(i.Manifests) == n {
			return errUnchanged
		}
		return nil
	}
	first := &collector{root: root}
	err := changeIndex(ctx, root, change)
	if isFull(err) {
		old, rerr := readIndex(root)
		if rerr != nil {
			return first, rerr
		}
		if first, rerr = collect(ctx, root, old, held, nil); rerr != nil {
			return first, rerr
		}
		if rerr = first.empty(); rerr != nil {
			return first, rerr
		}
		err = changeIndex(ctx, root, change)
	}
	if err != nil && err != errUnchanged {
		return first, err
	}
	c, err := collect(ctx, root, index, held, only)
	c.Removed.add(first.Removed)
	c.Untagged = names
	return c, err
}
