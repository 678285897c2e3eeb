package store

import (
	"crypto/sha256"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

// unpacked compares every unpacked layer with its blob.
func (c *checker) unpacked() error {
	if !layer.Supported {
		return nil
	}
	return eachName(c.root, "layers", func(name string) error {
		h := v1.Hash{Algorithm: "sha256", Hex: name}
		if checkHash(h) != nil {
			return c.ctx.Err()
		}
		r, ok := readRecord(c.root, h)
		switch {
		case !isDir(c.root, "layers/"+name):
			return nil // gone
		case !ok && !there(c.root, "layers/"+name+settledRecord):
			return nil // what a restart of the machine left of one that was not settled
		case !ok:
			return c.report(Problem{Kind: ProblemLayer, Object: h, What: "it is not complete, or its record is damaged", Pull: len(c.names[h]) > 0})
		}
		if _, err := readImplied(c.root, h); err != nil {
			return c.report(Problem{Kind: ProblemLayer, Object: h, What: "its list of directories without an entry is damaged", Pull: len(c.names[h]) > 0})
		}
		return c.layer(h, r)
	})
}

// layer compares a layer with the first of its blobs that is good.
func (c *checker) layer(h v1.Hash, r record) error {
	if ids, ok := c.covers[h]; ok {
		_, err := c.cover(h, r, ids)
		return err
	}
	for _, p := range c.layers[h] {
		if c.seen[p.blob] {
			continue // damaged itself
		}
		done, err := c.compare(h, r, p)
		if done || err != nil {
			return err
		}
	}
	return c.ctx.Err() // no image has it, or not in a form that can be read here
}

// compare reports whether the layer could be compared with that blob.
func (c *checker) compare(h v1.Hash, r record, p packedLayer) (bool, error) {
	stream, err := c.open(p)
	if err != nil || stream == nil {
		return false, nil // the blob was verified: it is of another kind than its media type says
	}
	defer stream.Close()
	dir, err := c.root.Open("layers/" + h.Hex + "/fs")
	if err != nil {
		return false, nil // gone
	}
	defer dir.Close()
	sum := sha256.New()
	got, err := layer.Compare(c.ctx, dir, io.TeeReader(stream, sum), c.options(r), r.Stats)
	if c.ctx.Err() != nil {
		return false, c.ctx.Err()
	}
	if err == nil && !matches(sum, h) {
		return false, nil // the blob of another layer, by the fault of a manifest
	}
	return c.judge(h, got, err)
}

// cover compares a cover with what the layers below it make of it now, and reports whether it could. Layers that are not
// there or damaged themselves leave nothing to compare with.
func (c *checker) cover(h v1.Hash, r record, diffIDs []v1.Hash) (bool, error) {
	layers, _, err := pile(c.root, diffIDs)
	if err != nil {
		return false, nil
	}
	dir, err := c.root.Open("layers/" + h.Hex + "/fs")
	if err != nil {
		return false, nil // gone
	}
	defer dir.Close()
	var got layer.Comparison
	err = coverOf(c.ctx, c.root, layers, c.options(r), func(stream io.Reader) error {
		var err error
		got, err = layer.Compare(c.ctx, dir, stream, c.options(r), r.Stats)
		return err
	})
	if c.ctx.Err() != nil {
		return false, c.ctx.Err()
	}
	return c.judge(h, got, err)
}

// judge reports what came of comparing a layer.
func (c *checker) judge(h v1.Hash, got layer.Comparison, err error) (bool, error) {
	if _, still := readRecord(c.root, h); !still {
		return true, nil // removed while it was being compared
	}
	if err != nil {
		return true, c.report(Problem{Kind: ProblemLayer, Object: h, What: err.Error(), Pull: true})
	}
	if n := len(got.Differences); n > 0 {
		d := got.Differences[0]
		what := fmt.Sprintf("%.300q %s", d.Path, d.What)
		if n > 1 {
			what += fmt.Sprintf(" (and %d more differences)", n-1)
		}
		return true, c.report(Problem{Kind: ProblemLayer, Object: h, What: what, Pull: true})
	}
	return true, nil
}

// open opens the tar stream in a blob; nil if there is no way to.
func (c *checker) open(p packedLayer) (io.ReadCloser, error) {
	f, err := openBlob(c.root, p.blob)
	if err != nil {
		return nil, err
	}
	plain := p.mt == types.OCIUncompressedLayer || p.mt == types.DockerUncompressedLayer || p.mt == types.OCIUncompressedRestrictedLayer
	switch {
	case c.o.Decompress != nil:
		return c.o.Decompress(p.mt, f)
	case plain:
		return f, nil
	}
	return nil, f.Close()
}

// options are those that the layer was unpacked with.
func (c *checker) options(r record) layer.Options {
	o := c.o.Layer
	o.UserXattr, o.IgnoreOwners = r.UserXattr, r.Owners == "squashed"
	if r.Owners != "mapped" {
		o.Owner = nil
	}
	return o
}
