package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

// ProblemKind says what is damaged.
type ProblemKind string

// The kinds of objects that a check finds damaged.
const (
	ProblemIndex ProblemKind = "index" // index.json or oci-layout
	ProblemImage ProblemKind = "image" // a manifest of which something is missing, or that says what is not so
	ProblemBlob  ProblemKind = "blob"  // a file in blobs, by its digest
	ProblemLayer ProblemKind = "layer" // an unpacked layer, by its diff id, or a cover
)

// Problem is one thing that a check has found.
type Problem struct {
	Kind   ProblemKind
	Object v1.Hash  // the digest or diff id; zero for index.json
	What   string   // in words; of a layer the first path with what is wrong there
	Images []string // names of images that have the object, as far as they can be told

	// Pull reports whether pulling the image again repairs it, once Repair has removed what is damaged. It does not
	// if no image refers to the object; then Prune removes it for good.
	Pull bool

	found *CheckOptions // those of the check; nil if none has found it
}

// String is one line.
func (p Problem) String() string { return fmt.Sprintf("%s %s: %s", p.Kind, p.Object, p.What) }

// CheckOptions refine Check. The zero value compares the layers that are stored uncompressed only.
type CheckOptions struct {
	// Decompress unpacks the blob of a layer, as package registry does. What it returns closes the blob. Nil: layers of
	// compressed blobs are not compared.
	Decompress func(mt types.MediaType, blob io.ReadCloser) (io.ReadCloser, error)

	// Layer are the options that layers are unpacked with; of them, Owner says what the ids on the disk are where the
	// record of a layer says that they were mapped.
	Layer layer.Options

	// Documents leaves the layers alone, packed and unpacked: index.json, manifests and configurations are checked,
	// and that all parts are there.
	Documents bool
}

// Check reads everything that the store holds, and yields what is damaged: every blob against its digest, every
// unpacked layer against its blob, entry by entry, covers against the layers below them, and every image for its parts. It changes nothing. Objects that come
// or go meanwhile are not problems. An error ends it.
//
// Errors: *Error around ctx.Err(), the errno.
func (s *Store) Check(ctx context.Context, o CheckOptions) iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		root, err := s.read()
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err == nil {
			defer root.Close()
			c := &checker{s: s, ctx: ctx, root: root, o: &o, yield: yield,
				layers: map[v1.Hash][]packedLayer{}, covers: map[v1.Hash][]v1.Hash{}, names: map[v1.Hash][]string{}}
			err = c.run()
		}
		if err != nil && err != errStopped {
			yield(Problem{}, wrap("check", s.dir, err))
		}
	}
}

// errStopped ends a check that nobody listens to any more.
var errStopped = errors.New("stopped")

type checker struct {
	s      *Store
	ctx    context.Context // of one call of Check, which this is
	root   disk
	o      *CheckOptions
	yield  func(Problem, error) bool
	layers map[v1.Hash][]packedLayer // by diff id
	covers map[v1.Hash][]v1.Hash     // by their names: the layers that they cover
	names  map[v1.Hash][]string      // of the images with an object
	seen   map[v1.Hash]bool          // blobs that were reported
}

// packedLayer is a blob that a layer is unpacked from.
type packedLayer struct {
	blob v1.Hash
	mt   types.MediaType
}

func (c *checker) run() error {
	c.seen = map[v1.Hash]bool{}
	index, err := readIndex(c.root)
	_, merr := c.root.Lstat("oci-layout")
	unmarked := errors.Is(merr, fs.ErrNotExist) // oci-layout is made last, and by whoever writes next
	if unmarked && (errors.Is(err, fs.ErrNotExist) || err == nil && len(index.Manifests) == 0) {
		return nil
	}
	if err != nil {
		if err := c.report(Problem{Kind: ProblemIndex, What: err.Error()}); err != nil {
			return err
		}
		index = emptyIndex()
	}
	if !isLayout(c.root) {
		if err := c.report(Problem{Kind: ProblemIndex, What: "oci-layout is damaged or missing"}); err != nil {
			return err
		}
	}
	v := c.s.lookAt(c.root, index)
	for _, d := range index.Manifests {
		if err := c.entry(v, d); err != nil {
			return err
		}
	}
	if c.o.Documents {
		return nil
	}
	if err := c.blobs(); err != nil {
		return err
	}
	return c.unpacked()
}

func (c *checker) report(p Problem) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if p.Kind == ProblemBlob {
		c.seen[p.Object] = true
	}
	p.Images, p.found = c.names[p.Object], c.o
	if !c.yield(p, nil) {
		return errStopped
	}
	return nil
}

// entry checks what an entry of index.json leads to.
func (c *checker) entry(v *view, d v1.Descriptor) error {
	if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
		return nil // an artifact of another kind: its blob is checked like every other
	}
	c.belongs(d.Digest, d)
	leaves, err := v.leaves(d)
	if err != nil {
		return c.missing(d, d.Digest, err)
	}
	for _, m := range leaves {
		if d.MediaType.IsIndex() && !hasFile(c.root, m.Digest) {
			continue
		}
		c.belongs(m.Digest, d)
		if err := c.image(d, m); err != nil {
			return err
		}
	}
	return nil
}

// belongs notes that an object is of an image.
func (c *checker) belongs(h v1.Hash, entry v1.Descriptor) {
	name := entry.Annotations[refName]
	if name != "" && !slices.Contains(c.names[h], name) {
		c.names[h] = append(c.names[h], name)
	}
}

// image checks a manifest and that its parts are there.
func (c *checker) image(entry, d v1.Descriptor) error {
	b, err := readBlob(c.root, d.Digest)
	if err != nil {
		return c.missing(entry, d.Digest, err)
	}
	m, err := DecodeManifest(b, d.MediaType)
	if err != nil {
		return c.missing(entry, d.Digest, err)
	}
	c.belongs(m.Config.Digest, entry)
	if b, err = readBlob(c.root, m.Config.Digest); err != nil {
		return c.missing(entry, m.Config.Digest, err)
	}
	config, err := DecodeConfig(b, len(m.Layers))
	if err != nil {
		return nil // an artifact of another kind, or an image that could never be run
	}
	cover := coverID(config.RootFS.DiffIDs)
	c.covers[cover] = config.RootFS.DiffIDs
	c.belongs(cover, entry)
	for i, l := range m.Layers {
		id := config.RootFS.DiffIDs[i]
		c.belongs(l.Digest, entry)
		c.belongs(id, entry)
		if p := (packedLayer{l.Digest, l.MediaType}); !slices.Contains(c.layers[id], p) {
			c.layers[id] = append(c.layers[id], p)
		}
		if err := c.part(entry, l); err != nil {
			return err
		}
	}
	return nil
}

// part checks that a layer's blob is there, in its size.
func (c *checker) part(entry, l v1.Descriptor) error {
	path, err := blobPath(l.Digest)
	if err != nil {
		return nil
	}
	fi, err := c.root.Lstat(path)
	switch {
	case err != nil:
		return c.missing(entry, l.Digest, err)
	case fi.Size() != l.Size:
		return c.missing(entry, l.Digest, ErrSize)
	}
	return nil
}

// missing reports a document that is damaged, or a part that is not there, unless the image has gone meanwhile.
func (c *checker) missing(entry v1.Descriptor, h v1.Hash, err error) error {
	if c.seen[h] {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		now, ierr := readIndex(c.root)
		if ierr == nil && !slices.ContainsFunc(now.Manifests, func(d v1.Descriptor) bool { return d.Digest == entry.Digest }) {
			return nil
		}
		c.seen[h] = true
		return c.report(Problem{Kind: ProblemImage, Object: h, What: "is missing", Pull: true})
	}
	if damaged(err) {
		return c.report(Problem{Kind: ProblemBlob, Object: h, What: cause(err).Error(), Pull: true})
	}
	if errors.Is(err, ErrDocument) || errors.Is(err, ErrTooLarge) {
		return c.report(Problem{Kind: ProblemImage, Object: h, What: cause(err).Error()}) // it came so
	}
	return err
}

// damaged reports an error that says that content is not what it should be.
func damaged(err error) bool { return errors.Is(err, ErrDigest) || errors.Is(err, ErrSize) }

// cause is an error without this package's frame.
func cause(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// blobs verifies every file in blobs.
func (c *checker) blobs() error {
	return eachName(c.root, "blobs/sha256", func(name string) error {
		h := v1.Hash{Algorithm: "sha256", Hex: name}
		if checkHash(h) != nil || c.seen[h] {
			return c.ctx.Err() // what has no digest for a name is no blob
		}
		f, err := openBlob(c.root, h)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, fs.ErrInvalid):
			return c.report(Problem{Kind: ProblemBlob, Object: h, What: "is not a file", Pull: c.names[h] != nil})
		case err != nil:
			return err
		}
		defer f.Close()
		whole, err := ofDigest(c.ctx, h)(f)
		if err != nil || whole {
			return err
		}
		return c.report(Problem{Kind: ProblemBlob, Object: h, What: ErrDigest.Error(), Pull: len(c.names[h]) > 0})
	})
}
