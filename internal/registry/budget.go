package registry

import (
	"fmt"
	"io"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

const (
	// maxUnpacked bounds what the layers of one image that are unpacked together take on the disk: twice what they
	// may have packed. The bounds of one layer are in package layer.
	maxUnpacked = 2 * store.MaxImage

	// freeTogether is what small blobs may grow to together, whatever their size. Each may have freeGrowth, which
	// times store.MaxLayers would fill most disks.
	freeTogether = 4 << 30
)

// Budget is how many bytes the layers of an image, or of several, may still have, unpacked. The layers may be read at the same time.
// The zero value lets nothing be read.
type Budget struct{ left atomic.Int64 }

// NewBudget is a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

// BudgetFor is the budget of an image with these layers, of whose descriptors the size counts, in bytes as packed. It is
// 4 GiB and 500 times as much as they have, at most 256 GiB.
func BudgetFor(layers []v1.Descriptor) *Budget {
	grown := int64(freeTogether)
	for _, l := range layers {
		if l.Size < 0 || l.Size > (maxUnpacked-grown)/maxRatio {
			return NewBudget(maxUnpacked)
		}
		grown += l.Size * maxRatio
	}
	return NewBudget(grown)
}

// Decompress is the function Decompress, and takes what is read of the tar stream from the budget. When the budget is used
// up, Read fails with ErrTooLarge.
func (b *Budget) Decompress(mt types.MediaType, blob io.ReadCloser) (io.ReadCloser, error) {
	layer, err := Decompress(mt, blob)
	if err != nil {
		return nil, err
	}
	return &budgeted{layer, b}, nil
}

type budgeted struct {
	io.ReadCloser
	budget *Budget
}

// Read stops when the budget is used up.
func (b *budgeted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.budget.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("%w: the unpacked layers together", ErrTooLarge)
	}
	return n, err
}
