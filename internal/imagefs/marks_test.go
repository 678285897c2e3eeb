package imagefs

import (
	"fmt"
	"testing"

	"github.com/caisson-go/caisson/internal/inflate"
)

// In a gzip layer a file costs what lies between it and the mark before it, whatever the order.
func TestGzipIsReadFromMarks(t *testing.T) {
	const files, size = 12, 512 << 10
	var content []entry
	for i := range files {
		content = append(content, file(fmt.Sprintf("f%02d", i), noise(uint64(i), size)))
	}
	var b blobs
	f := New([]Layer{b.gzip(t, pack(t, content...))}, nil)
	if err := f.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := files - 1; i >= 0; i-- {
		before := b.read.Load()
		got, err := f.ReadFile(fmt.Sprintf("f%02d", i))
		if err != nil || string(got) != content[i].body {
			t.Fatalf("file %d: %d bytes, %v", i, len(got), err)
		}
		if n := b.read.Load() - before; n > size+firstDistance+600<<10 { // and the length of a block, and a buffer
			t.Errorf("file %d took %d bytes", i, n)
		}
	}
	if n := b.open.Load(); n != 0 {
		t.Errorf("%d blobs are still open", n)
	}
}

func TestMarksThinOut(t *testing.T) {
	m := marks{most: 8, distance: 10}
	at, next := int64(0), int64(10)
	for range 1000 {
		if at += 3; at < next {
			continue
		}
		next = at + m.add(inflate.Mark{Out: at})
	}
	if n := len(m.list); n < 3 || n >= 8 {
		t.Errorf("%d marks", n)
	}
	for pos := range int64(3000) {
		got, ok := m.before(pos)
		var want inflate.Mark
		for _, mark := range m.list {
			if mark.Out <= pos {
				want = mark
			}
		}
		if got.Out != want.Out || ok != (want.Out > 0) {
			t.Fatalf("before %d: %d, want %d", pos, got.Out, want.Out)
		}
		if ok && pos-got.Out > 2*m.distance+3 {
			t.Fatalf("the mark before %d is at %d", pos, got.Out)
		}
	}
}
