package registry

import (
	"errors"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// T39: many layers that each may grow freely must not fill the disk together.
func TestBudgetFor(t *testing.T) {
	layers := func(n int, size int64) []v1.Descriptor {
		all := make([]v1.Descriptor, n)
		for i := range all {
			all[i].Size = size
		}
		return all
	}
	for name, tc := range map[string]struct {
		layers []v1.Descriptor
		want   int64
	}{
		"none":     {nil, freeTogether},
		"bombs":    {layers(store.MaxLayers, 10_000), freeTogether + store.MaxLayers*10_000*maxRatio},
		"usual":    {layers(10, 20<<20), freeTogether + 10*(20<<20)*maxRatio},
		"large":    {layers(2, store.MaxBlob), maxUnpacked},
		"negative": {layers(1, -1), maxUnpacked},
		"absurd":   {layers(3, 1<<62), maxUnpacked},
	} {
		if got := BudgetFor(tc.layers).left.Load(); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if free := int64(store.MaxLayers * freeGrowth); BudgetFor(layers(store.MaxLayers, 10_000)).left.Load() > free/10 {
		t.Errorf("layers of 10 kB may grow to more than a tenth of %d", free)
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(10)
	read := func(b *Budget, n int) error {
		layer, err := b.Decompress(types.OCIUncompressedLayer, io.NopCloser(strings.NewReader(strings.Repeat("x", n))))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, layer)
		return err
	}
	for i, n := range []int{4, 6} {
		if err := read(b, n); err != nil {
			t.Errorf("layer %d: %v", i, err)
		}
	}
	if err := read(b, 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("beyond the budget: %v", err)
	}
	if err := read(b, 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("after its end: %v", err)
	}
	if err := read(new(Budget), 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the zero value: %v", err)
	}
}
