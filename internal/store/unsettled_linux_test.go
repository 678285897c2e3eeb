package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/layer"
)

// A layer that was not settled is there until the machine is started anew; then it is neither there nor a problem, and
// can be unpacked again.
func TestUnsettledLayer(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	put(t, s, "name", l)
	verify(t, s, "before")
	next := restarted(t, s.Dir())
	if _, err := next.Resolve("name"); !errors.Is(err, ErrIncomplete) {
		t.Errorf("after a restart: %v", err)
	}
	if p := check(t, next); len(p) > 0 {
		t.Errorf("after a restart: %v", p)
	}
	if _, err := next.DiskUsage(t.Context()); err != nil {
		t.Error(err)
	}
	must(t, next.Settle(t.Context()))
	if _, ok := next.LayerStats(digest(l)); ok {
		t.Error("a layer of which nobody knows whether it is whole was settled")
	}
	must(t, next.PutLayer(t.Context(), digest(l), reader(l), layer.Defaults()))
	verify(t, next, "unpacked anew")
	if _, err := s.Resolve("name"); !errors.Is(err, ErrIncomplete) {
		t.Errorf("to another run of the kernel: %v", err)
	}
}

// What is settled outlasts a restart, and is noted no more.
func TestSettle(t *testing.T) {
	s := open(t)
	must(t, s.Settle(t.Context()))
	if _, err := os.Lstat(filepath.Join(s.Dir(), "oci-layout")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("settling nothing: %v", err)
	}
	put(t, s, "name", tarOf(t, "file", "content"), tarOf(t, "another", "content"))
	for range 2 {
		must(t, s.Settle(t.Context()))
		verify(t, s, "settled")
		verify(t, restarted(t, s.Dir()), "after a restart")
	}
	if left := notes(t, s); len(left) > 0 {
		t.Errorf("still noted: %v", left)
	}
}

// Whatever fails while layers are settled, they are there, and settling them can be tried again.
func TestSettleFails(t *testing.T) {
	for step := 0; ; step++ {
		s := fast(t)
		put(t, s, "name", tarOf(t, "file", "content"), tarOf(t, "another", "content"))
		n, broken := 0, errors.New("broken")
		failing := withHook(openAt(t, s.Dir()), func(what string) error {
			if n++; n == step && !strings.HasPrefix(what, "remove") {
				return broken
			}
			return nil
		})
		_, err := failing.Resolve("name")
		must(t, err)
		err = failing.Settle(t.Context())
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
		verify(t, s, "after an error")
		must(t, s.Settle(t.Context()))
		verify(t, restarted(t, s.Dir()), "after a restart")
		if n < step {
			return
		}
	}
}

// A layer that was removed and made anew while the disk was waited for is not vouched for.
func TestSettleAnother(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	d := put(t, s, "name", l)
	hooked := withHook(openAt(t, s.Dir()), func(what string) error {
		if what == "syncall layers" {
			_, err := s.Remove(t.Context(), d.Digest.String(), RemoveOptions{})
			must(t, err)
			put(t, s, "name", l)
		}
		return nil
	})
	must(t, hooked.Settle(t.Context()))
	verify(t, s, "at once")
	if _, err := restarted(t, s.Dir()).Resolve("name"); !errors.Is(err, ErrIncomplete) {
		t.Errorf("after a restart: %v", err)
	}
	must(t, s.Settle(t.Context()))
	verify(t, restarted(t, s.Dir()), "settled again")
}

// Whoever writes next settles what the kernel has written out long ago, and nothing else.
func TestSettleOld(t *testing.T) {
	s := open(t)
	put(t, s, "name", tarOf(t, "file", "content"))
	put(t, s, "other", tarOf(t, "other", "content"))
	if n := len(notes(t, s)); n != 2 {
		t.Fatalf("%d layers are noted", n)
	}
	long := time.Now().Add(-2 * written)
	for _, name := range notes(t, s) {
		must(t, os.Chtimes(filepath.Join(s.Dir(), "unsettled", name), long, long))
	}
	release, err := s.Begin(t.Context())
	must(t, err)
	release()
	verify(t, restarted(t, s.Dir()), "after a restart")
}

// notes are the names of the layers that are to be settled.
func notes(t *testing.T, s *Store) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.Dir(), "unsettled"))
	must(t, err)
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}
