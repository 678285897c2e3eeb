package imagefs

import (
	"io"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// Blob is an open blob. *os.File is one.
type Blob interface {
	io.ReaderAt
	io.Closer
}

// Layer is one layer of an image, as it is stored.
type Layer struct {
	// Name is what errors call the layer: its digest.
	Name string

	// Open opens the blob. It may be called at any time as long as the file system is used, by several goroutines.
	Open func() (Blob, error)

	// Gzip says that the blob is a gzip stream.
	Gzip bool

	// Decompress makes the tar stream of a blob in another format, and closes the blob when the stream is closed. It
	// must start no goroutine: streams are kept without being closed. Nil, without Gzip, is for a blob that is a tar
	// file itself.
	Decompress func(blob io.ReadCloser) (io.ReadCloser, error)

	// DiffID is the digest of the tar stream, and is verified while the index is made. Zero: it is not. It is
	// ignored for a blob that is a tar file itself: that one's digest is the blob's, verified when it was stored.
	DiffID v1.Hash
}

// plain reports a blob that is a tar file itself.
func (l *Layer) plain() bool { return !l.Gzip && l.Decompress == nil }

// Options bounds what the index of an image may cost. The zero value has the defaults. Reaching a limit is a
// *layer.LimitError.
type Options struct {
	// Layer bounds each layer by itself.
	Layer layer.Limits

	// Entries counts tar entries, and the directories that they imply, of all layers together. Zero: 2,000,000,
	// which takes 200 to 600 MB.
	Entries int64

	// Text is the number of bytes of names, link targets and attributes of all layers together. Zero: 256 MiB.
	Text int64
}

func (o Options) withDefaults() Options {
	o.Layer = o.Layer.WithDefaults()
	if o.Entries <= 0 {
		o.Entries = 2_000_000
	}
	if o.Text <= 0 {
		o.Text = 256 << 20
	}
	return o
}

const (
	// maxHops bounds the symbolic links followed in one path, as the kernel's MAXSYMLINKS does.
	maxHops = 40

	// maxDepth bounds the directories within one another. A name has 256 components at most, but links can
	// lead deeper.
	maxDepth = 4096

	// maxMarks bounds the marks of an image, 32 KiB each.
	maxMarks = 1024

	// firstDistance is how far apart the marks of a layer are at first, in bytes of its tar stream. It doubles whenever
	// there are too many.
	firstDistance = 1 << 20

	// maxSteps bounds the components that all lookups in one layer go through. A tree of 2,000,000 files takes a
	// tenth of it; links to links could else make each entry cost 80,000.
	maxSteps = 200_000_000
)

// budget is what the layers of an image may still cost together.
type budget struct {
	o             Options
	entries, text atomic.Int64
}

func newBudget(o Options) *budget {
	b := &budget{o: o}
	b.entries.Store(o.Entries)
	b.text.Store(o.Text)
	return b
}

// take takes one entry with that much text from the budget.
func (b *budget) take(text int) error {
	if b.entries.Add(-1) < 0 {
		return &layer.LimitError{What: "entries of an image", Max: b.o.Entries}
	}
	return b.takeText(text)
}

func (b *budget) takeText(n int) error {
	if b.text.Add(-int64(n)) < 0 {
		return &layer.LimitError{What: "bytes of names and attributes of an image", Max: b.o.Text}
	}
	return nil
}
