package store

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Indexes that name one another many times cost no more than what there is of them, and nothing at all to others.
func TestNestedIndexes(t *testing.T) {
	s := open(t)
	d := forPlatform(put(t, s, "a:1", tarOf(t, "a", "1")), "amd64")
	const times = 1000
	x := d
	for i := range 3 {
		x = putIndex(t, s, "level:"+strconv.Itoa(i), slices.Repeat([]v1.Descriptor{x}, times)...)
	}
	begin := time.Now()
	img, err := s.ResolvePlatform("level:2", d.Platform)
	if err != nil || img.Digest != d.Digest || len(img.Names) != 4 {
		t.Errorf("%v, names %q, %v", img.Digest, img.Names, err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	// One too deep is an error for its own names only, whatever was looked at before.
	putIndex(t, s, "level:3", x)
	for range 2 {
		if _, err := s.Find("level:3", d.Platform); !errors.Is(err, ErrDocument) {
			t.Errorf("four levels: %v", err)
		}
		if img, err := s.Find("level:1", d.Platform); err != nil || len(img.Names) != 4 {
			t.Errorf("names %q, %v", img.Names, err)
		}
	}
}

// The order in which indexes are looked at does not matter for what is found in them.
func TestNestedIndexesOrder(t *testing.T) {
	s := open(t)
	d := forPlatform(put(t, s, "a:1", tarOf(t, "a", "1")), "amd64")
	chain := []v1.Descriptor{d}
	for range 4 {
		last := chain[len(chain)-1]
		chain = append(chain, putIndex(t, s, "x:1", last))
	}
	root, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, order := range [][]int{{1, 2, 3, 4, 1, 2, 3}, {4, 3, 2, 1, 4}, {3, 4, 1, 2}} {
		v, err := s.look(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range order {
			leaves, err := v.leaves(chain[i])
			if good := i <= maxIndexes; good && (err != nil || len(leaves) != 1) || !good && !errors.Is(err, ErrDocument) {
				t.Errorf("%v: %d levels: %d manifests, %v", order, i, len(leaves), err)
			}
		}
	}
}

// A manifest may be for several platforms; an index of more than any honest one has is refused.
func TestIndexLeaves(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	putIndex(t, s, "two:1", forPlatform(d, "amd64"), forPlatform(d, "arm64"), forPlatform(d, "arm64"))
	for _, arch := range []string{"amd64", "arm64"} {
		if img, err := s.Find("two:1", &v1.Platform{OS: "linux", Architecture: arch}); err != nil || img.Digest != d.Digest {
			t.Errorf("%s: %v, %v", arch, img.Digest, err)
		}
	}
	many := []v1.Descriptor{forPlatform(d, "amd64")}
	for i := range maxLeaves {
		many = append(many, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest([]byte(strconv.Itoa(i))), Size: 1})
	}
	putIndex(t, s, "most:1", many[:maxLeaves]...)
	putIndex(t, s, "many:1", many...)
	if _, err := s.Find("most:1", many[0].Platform); err != nil {
		t.Error(err)
	}
	if _, err := s.Find("many:1", many[0].Platform); !errors.Is(err, ErrDocument) {
		t.Errorf("too many: %v", err)
	}
}
