//go:build linux

package caisson_test

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-go/caisson"
)

// gigabyte is a container that has ended, with a file of a gigabyte in its writable layer. The file is put there by hand
// and taken from the snapshot again, because writing it takes a thousand times as long as what is measured.
type gigabyte struct {
	b     *testing.B
	e     *caisson.Engine
	image *caisson.Image
	file  string // where the file is
}

func newGigabyte(b *testing.B) *gigabyte {
	e := engine(b)
	image, err := e.RootFS(smallRoot(b))
	if err != nil {
		b.Fatal(err)
	}
	g := &gigabyte{b, e, image, filepath.Join(e.Dir, "big")}
	f, err := os.Create(g.file)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.Reader, 1<<30); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return g
}

func (g *gigabyte) must(err error) {
	g.b.Helper()
	if err != nil {
		g.b.Fatal(err)
	}
}

// ended is such a container.
func (g *gigabyte) ended() *caisson.Container {
	c := g.image.Command("/bin/true")
	g.must(c.Start(g.b.Context()))
	g.must(c.Wait(g.b.Context()))
	to := filepath.Join(g.e.Dir, "containers", c.ID(), "upper", "big")
	g.must(os.Rename(g.file, to))
	g.file = to
	return c
}

// takeOut takes the file out of a snapshot again, and removes that.
func (g *gigabyte) takeOut(s *caisson.Snapshot) {
	to := filepath.Join(g.e.Dir, "big")
	g.must(os.Rename(filepath.Join(g.e.Dir, "snapshots", s.ID(), "fs", "big"), to))
	g.file = to
	g.must(s.Remove(g.b.Context()))
}

// BenchmarkSnapshot is Container.Snapshot of a container with a gigabyte.
func BenchmarkSnapshot(b *testing.B) {
	g := newGigabyte(b)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		c := g.ended()
		b.StartTimer()
		s, err := c.Snapshot(b.Context())
		b.StopTimer()
		g.must(err)
		g.must(c.Close())
		g.takeOut(s)
		b.StartTimer()
	}
}

// BenchmarkRestore is Container.Restore to a snapshot with a gigabyte, until the program runs again.
func BenchmarkRestore(b *testing.B) {
	g := newGigabyte(b)
	c := g.ended()
	s, err := c.Snapshot(b.Context())
	g.must(err)
	g.must(c.Close())
	again := s.Command("/bin/hold")
	g.must(again.Start(b.Context()))
	b.ResetTimer()
	for range b.N {
		g.must(again.Restore(b.Context(), s))
	}
	b.StopTimer()
	g.must(again.Close())
	g.takeOut(s)
}

// BenchmarkSnapshotStart is the start of a further container from a snapshot with a gigabyte, to its exit, with
// everything removed.
func BenchmarkSnapshotStart(b *testing.B) {
	g := newGigabyte(b)
	c := g.ended()
	s, err := c.Snapshot(b.Context())
	g.must(err)
	g.must(c.Close())
	b.ResetTimer()
	for range b.N {
		g.must(s.Command("/bin/true").Run(b.Context()))
	}
	b.StopTimer()
	g.takeOut(s)
}
