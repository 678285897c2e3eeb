package imagefs

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
)

// heapAtFirst looks at the memory in use when it is first written to.
type heapAtFirst struct {
	looked bool
	heap   int64
}

// Write looks once.
func (h *heapAtFirst) Write(p []byte) (int, error) {
	if !h.looked {
		h.looked, h.heap = true, heapInUse()
	}
	return len(p), nil
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Names that are short in the layer, because a link leads to their directory, cost no more than they are long.
func TestWriteTarOfLongPaths(t *testing.T) {
	path := strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 249)+"/", 15), "/")
	list := []entry{dir(path), link("l", path)}
	for i := range 5000 {
		list = append(list, file(fmt.Sprintf("l/%d", i), ""))
	}
	f := imageOf(t, list)
	if err := f.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	var w heapAtFirst
	before := heapInUse()
	if err := f.WriteTar(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	if grown := w.heap - before; grown > 4<<20 {
		t.Errorf("5000 names below a path of %d bytes take %d KiB", len(path), grown>>10)
	}
	runtime.KeepAlive(f)
}

// No path is written that no layer can have.
func TestWriteTarRefusesWhatLinksMakeLong(t *testing.T) {
	for n, fits := range map[int]bool{7: true, 8: false} { // n+1 times 500 bytes
		err := imageOf(t, deeper(n)).WriteTar(t.Context(), io.Discard)
		var le *layer.LimitError
		var e *Error
		if fits && err != nil || !fits && !(errors.As(err, &le) && errors.As(err, &e)) {
			t.Errorf("%d times deeper: %v", n, err)
		}
	}
}

func TestPlacePath(t *testing.T) {
	root := &place{}
	for want, f := range map[string]named{
		".":     {},
		"a":     {in: root, base: "a"},
		"a/b/c": {in: &place{&place{root, "a"}, "b"}, base: "c"},
	} {
		if got := f.path(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
