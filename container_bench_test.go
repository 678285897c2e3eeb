//go:build linux

package caisson_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/caisson-go/caisson"
)

// Figures to compare two versions of the library with, by benchstat. TMPDIR says what the writable layers lie on;
// what the kernel alone needs, and the peers, are measured by internal/bench.

// BenchmarkRunTrue is from start to exit, with everything removed.
func BenchmarkRunTrue(b *testing.B) {
	image := smallImage(b, engine(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := image.Command("/bin/true").Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRunHost is the same in this machine's own root, which is made of several overlays.
func BenchmarkRunHost(b *testing.B) {
	image := engine(b).Host()
	b.ReportAllocs()
	for b.Loop() {
		if err := image.Command("true").Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExecTrue(b *testing.B) {
	c := smallImage(b, engine(b)).Command("/bin/hold")
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Exec("/bin/true").Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStartParallel is containers by as many starters as there are processors, or -cpu.
func BenchmarkStartParallel(b *testing.B) {
	image := smallImage(b, engine(b))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := image.Command("/bin/true").Run(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkLive reports what a container that lives costs the heap and the table of descriptors of its program. Its
// time is that of Start alone.
func BenchmarkLive(b *testing.B) {
	image := smallImage(b, engine(b))
	if err := image.Command("/bin/true").Run(b.Context()); err != nil { // what is made once
		b.Fatal(err)
	}
	var live []*caisson.Container
	heap, files := held(b)
	for b.Loop() {
		c := image.Command("/bin/hold")
		if err := c.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		live = append(live, c)
	}
	heapNow, filesNow := held(b)
	n := float64(len(live))
	b.ReportMetric(float64(heapNow-heap)/n, "heap-B/container")
	b.ReportMetric(float64(filesNow-files)/n, "files/container")
	for _, c := range live {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}
}

func held(b *testing.B) (heap, files int) {
	b.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	return int(m.HeapAlloc), len(list)
}
