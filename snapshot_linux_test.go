package caisson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
)

// written is a container that has written a file and ended.
func written(t *testing.T, img *caisson.Image, name, content string) *caisson.Container {
	t.Helper()
	c := img.Command("/bin/put", name, content)
	if err := errors.Join(c.Start(t.Context()), c.Wait(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// holds fails the test unless a file of an image has that content.
func holds(t *testing.T, img *caisson.Image, name, content string) {
	t.Helper()
	out, err := img.Command("/bin/cat", name).Output(t.Context())
	if err != nil || !bytes.Contains(out, []byte(content)) {
		t.Errorf("%s in %v: %q, %v, want %q", name, img, out, err, content)
	}
}

// What a container wrote is the start of any number of others, which do not see each other.
func TestSnapshotStartsManyContainers(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	c := written(t, img, "/file", "first")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			holds(t, s.Image(), "/file", "first")
			if err := s.Command("/bin/put", "/file", "another").Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	holds(t, s.Image(), "/file", "first")
	if out, err := img.Command("/bin/cat", "/file").Output(t.Context()); bytes.Contains(out, []byte("first")) {
		t.Errorf("it came into the image: %q, %v", out, err)
	}

	// One above the other.
	second := written(t, s.Image(), "/second", "two")
	s2, err := second.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	holds(t, s2.Image(), "/file", "first")
	holds(t, s2.Image(), "/second", "two")
	if again, err := e.Image(t.Context(), s2.Image().ID()); err != nil || again.ID() != s2.Image().ID() {
		t.Error(err)
	}
	if err := s.Remove(t.Context()); !errors.Is(err, caisson.ErrInUse) {
		t.Error("one with another above it was removed:", err)
	}
}

// A snapshot stays while somebody uses it, and is gone with all its files when it is removed.
func TestSnapshotRemove(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	c := written(t, img, "/file", "first")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context()); !errors.Is(err, caisson.ErrInUse) {
		t.Error("its container still stands on it:", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	user := s.Command("/bin/hold")
	if err := user.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context()); !errors.Is(err, caisson.ErrInUse) {
		t.Error("a container runs from it:", err)
	}
	if err := user.Close(); err != nil {
		t.Fatal(err)
	}
	listed := 0
	for got, err := range e.Snapshots(t.Context()) {
		if err != nil || got.ID() != s.ID() {
			t.Error(got, err)
		}
		listed++
	}
	if listed != 1 {
		t.Errorf("%d snapshots are listed", listed)
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Remove": s.Remove(t.Context()), "Run": s.Command("/bin/true").Run(t.Context()), "Snapshot": errorOf(e.Snapshot(t.Context(), s.ID())),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of what is gone: %v", what, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(e.Dir, "snapshots")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if _, err := e.Snapshot(t.Context(), "../containers"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Error("a path was taken for an ID:", err)
	}
}

// Restore brings back what was there, in the same container, as often as wanted.
func TestRestore(t *testing.T) {
	img := smallImage(t, engine(t))
	s, err := written(t, img, "/file", "first").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := s.Command("/bin/hold")
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := c.ID()
	for range 3 {
		if err := c.Exec("/bin/put", "/file", "spoilt").Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Exec("/bin/put", "/new", "new").Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Restore(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if out, err := c.Exec("/bin/cat", "/file").Output(t.Context()); err != nil || string(out) != "first" {
			t.Errorf("%q, %v", out, err)
		}
		if out, _ := c.Exec("/bin/cat", "/new").CombinedOutput(t.Context()); bytes.Contains(out, []byte("new\n")) {
			t.Errorf("%q", out)
		}
		if c.ID() != id || c.State() != caisson.StateRunning {
			t.Error(c.ID(), c.State())
		}
	}
	if err := c.Restore(t.Context(), nil); err == nil || c.State() != caisson.StateRunning {
		t.Error("no snapshot:", err, c.State())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Restore(t.Context(), s); !errors.Is(err, caisson.ErrClosed) {
		t.Error(err)
	}
}

// A container that runs goes on, and its snapshot does not.
func TestSnapshotOfOneThatRuns(t *testing.T) {
	img := smallImage(t, engine(t))
	c := img.Command("/bin/hold")
	runs(t, c)
	put := func(content string) {
		t.Helper()
		if err := c.Exec("/bin/put", "/file", content).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put("before")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put("after")
	holds(t, s.Image(), "/file", "before")
	if err := c.Restore(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Exec("/bin/cat", "/file").Output(t.Context()); err != nil || string(out) != "before" {
		t.Errorf("%q, %v", out, err)
	}
}

// A Restore that cannot happen kills nothing.
func TestRestoreThatCannotBe(t *testing.T) {
	img := smallImage(t, engine(t))
	s, err := written(t, img, "/file", "first").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := s.Command("/bin/hold")
	runs(t, c)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Restore(over, s); !errors.Is(err, context.Canceled) || c.State() != caisson.StateRunning {
		t.Error(err, c.State())
	}
	stranger, err := written(t, smallImage(t, engine(t)), "/file", "x").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Restore(t.Context(), stranger); err == nil || c.State() != caisson.StateRunning {
		t.Error(err, c.State())
	}
	piped := s.Command("/bin/hold")
	if _, err := piped.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	runs(t, piped)
	if err := piped.Restore(t.Context(), s); !errors.Is(err, errors.ErrUnsupported) || piped.State() != caisson.StateRunning {
		t.Error(err, piped.State())
	}
}

// What outlives the first process, where the process namespace is not the container's own, does not write to the snapshot.
func TestSnapshotKeepsSurvivorsOut(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	c := img.Command("/bin/probe", "spawn", "hold")
	c.Namespaces.PID = caisson.NamespaceHost
	if err := errors.Join(c.Start(t.Context()), c.Wait(t.Context())); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	upper := filepath.Join(e.Dir, "containers", c.ID(), "upper")
	before, err := os.Stat(upper)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(upper)
	kept, kerr := os.Stat(filepath.Join(e.Dir, "snapshots", s.ID(), "fs"))
	if err != nil || kerr != nil || !os.SameFile(before, after) || os.SameFile(before, kept) {
		t.Errorf("what a process still writes to is the snapshot: %v, %v", err, kerr)
	}
}

// runs starts a container, and closes it at the end of the test.
func runs(t *testing.T, c *caisson.Container) {
	t.Helper()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Close waits for no reader of an export, and ends it.
func TestCloseEndsAnExport(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	c := img.Command("/bin/probe", "hold")
	started(t, c)
	r, w := io.Pipe()
	exported := make(chan error, 1)
	go func() { exported <- c.Export(t.Context(), w) }()
	if _, err := io.ReadFull(r, make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	_ = r.Close()
	if err := <-exported; err == nil {
		t.Error("it was exported to nobody")
	}
}
