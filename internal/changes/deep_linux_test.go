package changes_test

import (
	"path"
	"runtime"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/testneed"
)

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// peakWriter looks now and then at the memory in use.
type peakWriter struct{ writes, peak int64 }

// Write looks at every hundredth time.
func (w *peakWriter) Write(p []byte) (int, error) {
	if w.writes++; w.writes%100 == 0 {
		w.peak = max(w.peak, heapInUse())
	}
	return len(p), nil
}

// A directory within 4000 others has a path of 60 KB. Going through them may not take 4000 such paths.
func TestDeepTreesInLittleMemory(t *testing.T) {
	testneed.Root(t)
	s := newScene(t, false)
	s.addLower(func(dir string) { deep(t, dir, "fourteen-bytes", 4000) })
	deep(t, s.at("upper"), "fourteen-bytes", 4000)
	put(t, s.at("upper"), "fourteen-bytes/other", "")
	const most = 24 << 20
	before, seen := heapInUse(), 0
	for c, err := range changes.List(t.Context(), s.tree()) {
		must(t, err)
		seen++
		if path.Base(c.Path) != "end" {
			continue
		}
		if n := strings.Count(c.Path, "/"); n != 4001 {
			t.Errorf("a path of %d components", n)
		}
		if grown := heapInUse() - before; grown > most {
			t.Errorf("List takes %d MiB", grown>>20)
		}
	}
	if seen != 4002 {
		t.Errorf("%d changes", seen)
	}
	var w peakWriter
	before = heapInUse()
	if _, err := changes.Export(t.Context(), &w, s.tree()); err != nil {
		t.Fatal(err)
	}
	if grown := w.peak - before; grown > most || w.peak == 0 {
		t.Errorf("Export takes %d MiB", grown>>20)
	}
}
