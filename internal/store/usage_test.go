package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
)

func TestStoreDiskUsage(t *testing.T) {
	s := open(t)
	if u, err := s.DiskUsage(t.Context()); err != nil || len(u.Images) != 0 {
		t.Errorf("of nothing: %+v, %v", u, err)
	}
	shared := tarOf(t, "shared", strings.Repeat("x", 5000))
	one := put(t, s, "one:1", shared)
	if err := s.Tag(t.Context(), "one:2", one); err != nil {
		t.Fatal(err)
	}
	put(t, s, "two:1", shared, tarOf(t, "own", strings.Repeat("y", 9000)))
	release, _, err := s.Use(one.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	u, err := s.DiskUsage(t.Context())
	if err != nil || len(u.Images) != 2 {
		t.Fatalf("%+v, %v", u, err)
	}
	a, b := u.Images[0], u.Images[1]
	common := int64(len(shared))
	if layer.Supported {
		common += 5000
	}
	if a.Digest != one.Digest || !slices.Equal(a.Names, []string{"one:1", "one:2"}) || !a.InUse || b.InUse || a.Images != 1 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a.Shared != common || b.Shared != common || a.Size != a.Shared+a.Unique || b.Unique < 18000 {
		t.Errorf("shared %d, %+v\n%+v", common, a, b)
	}
	if u.Blobs.Number != 6 || u.Blobs.Bytes+u.Layers.Bytes != common+a.Unique+b.Unique || u.Reclaimable != b.Unique {
		t.Errorf("%+v", u)
	}
	r, err := s.Prune(t.Context(), PruneOptions{All: true})
	if err != nil || r.Bytes != u.Reclaimable {
		t.Errorf("pruned %d, %v, but %d were reclaimable", r.Bytes, err, u.Reclaimable)
	}
}
