package store

import (
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// entriesOf are the names in index.json with the digests that they stand for.
func entriesOf(t *testing.T, s *Store) (list []string) {
	t.Helper()
	entries, err := s.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range entries {
		list = append(list, NameOf(d)+"="+d.Digest.Hex[:8])
	}
	return list
}

// What loses its last name to an index that has it is no image without a name, but one of the index's.
func TestNamelessImageOfAnIndex(t *testing.T) {
	for how, move := range map[string]func(s *Store, d v1.Descriptor) error{
		"Tag": func(s *Store, d v1.Descriptor) error { return s.Tag(t.Context(), "a:1", d) },
		"Add": func(s *Store, d v1.Descriptor) error {
			return s.Add(t.Context(), []Addition{{Desc: d, Names: []string{"a:1"}}}, true)
		},
		"Untag": func(s *Store, _ v1.Descriptor) error { return s.Untag(t.Context(), "a:1") },
	} {
		s := open(t)
		one := put(t, s, "a:1", tarOf(t, "a", "1"))
		other := put(t, s, "b:1", tarOf(t, "b", "1"))
		index := putIndex(t, s, "both:1", one)
		want := []string{"b:1=" + other.Digest.Hex[:8], "both:1=" + index.Digest.Hex[:8]}
		if how != "Untag" {
			want = append(want, "a:1="+index.Digest.Hex[:8])
		}
		if err := move(s, index); err != nil {
			t.Fatal(err)
		}
		if got := entriesOf(t, s); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", how, got, want)
		}
		if _, err := s.Resolve(one.Digest.String()); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := s.Tag(t.Context(), "b:1", index); err != nil { // which does not have it
			t.Fatal(err)
		}
		if got := entriesOf(t, s); !slices.Contains(got, "="+other.Digest.Hex[:8]) {
			t.Errorf("%s: %q", how, got)
		}
	}
}
