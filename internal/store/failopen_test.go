package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// refusingDisk opens some files no more.
type refusingDisk struct {
	disk
	refuses *func(name string) bool
}

func (r refusingDisk) Open(name string) (*os.File, error) {
	if f := *r.refuses; f != nil && f(name) {
		return nil, syscall.EMFILE
	}
	return r.disk.Open(name)
}

// Where it can not be told whether an image is in use, it is.
func TestUseNotKnown(t *testing.T) {
	var refuses func(name string) bool
	s := withDisk(open(t), func(d disk) disk { return refusingDisk{d, &refuses} })
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	put(t, s, "b:1", tarOf(t, "b", "1"))
	x := putIndex(t, s, "x:1", d)
	if _, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Untag(t.Context(), "b:1"); err != nil {
		t.Fatal(err)
	}
	release, _, err := openAt(t, s.Dir()).Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	before := objects(t, s)
	for _, h := range []v1.Hash{d.Digest, x.Digest} {
		refuses = func(name string) bool { return strings.HasSuffix(name, h.Hex) }
		if r, err := s.Prune(t.Context(), PruneOptions{All: true}); err == nil {
			t.Errorf("Prune with a file that can not be opened: %+v", r)
		}
		if _, err := s.Remove(t.Context(), "x:1", RemoveOptions{}); err == nil {
			t.Error("Remove with a file that can not be opened")
		}
		if after := objects(t, s); !slices.Equal(after, before) {
			t.Errorf("left:\n%v\nbefore:\n%v", after, before)
		}
		refuses = nil
		if got := names(t, s); !slices.Contains(got, "x:1") {
			t.Fatalf("names %q", got)
		}
	}
}

// A list of a living writer that can not be read stops a collection.
func TestNotedNotKnown(t *testing.T) {
	var refuses func(name string) bool
	s := withDisk(open(t), func(d disk) disk { return refusingDisk{d, &refuses} })
	release, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	fresh := putBytes(t, s, "x", []byte("fresh"))
	for _, last := range []string{"lock", listName} {
		refuses = func(name string) bool { return strings.HasPrefix(name, "staging/") && filepath.Base(name) == last }
		if r, err := s.Prune(t.Context(), PruneOptions{}); err == nil || !has(s, fresh.Digest) {
			t.Errorf("without %s: %+v, %v", last, r, err)
		}
	}
}

// What something stands on stays without an entry, as what is in use does.
func TestHoldsWithoutEntry(t *testing.T) {
	held := map[v1.Hash]bool{}
	s, err := OpenWith(filepath.Join(t.TempDir(), "state"), Options{Holds: func(h v1.Hash) bool { return held[h] }})
	if err != nil {
		t.Fatal(err)
	}
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	held[d.Digest] = true
	before := objects(t, s)
	if err := os.WriteFile(filepath.Join(s.Dir(), "index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), PruneOptions{All: true}); err != nil || !slices.Equal(objects(t, s), before) {
		t.Errorf("%v, left %v", err, objects(t, s))
	}
	delete(held, d.Digest)
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil || len(objects(t, s)) > 0 {
		t.Errorf("%v, left %v", err, objects(t, s))
	}
}
