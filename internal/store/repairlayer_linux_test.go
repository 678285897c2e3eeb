package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

// A layer that was repaired since the check is not removed, whatever its blob needs to be read.
func TestRepairLooksAgain(t *testing.T) {
	s := open(t)
	l := tarOf(t, "a", "1")
	d := put(t, s, "one:1", l)
	o := CheckOptions{Layer: layer.Defaults(), Decompress: func(_ types.MediaType, blob io.ReadCloser) (io.ReadCloser, error) { return blob, nil }}
	file := filepath.Join(s.LayerDir(digest(l)), "a")
	spoil := func() Problem {
		t.Helper()
		if err := os.WriteFile(file, []byte("2"), 0o644); err != nil {
			t.Fatal(err)
		}
		for p, err := range s.Check(t.Context(), o) {
			if err != nil || p.Kind != ProblemLayer {
				t.Fatal(p, err)
			}
			return p
		}
		t.Fatal("nothing was found")
		return Problem{}
	}
	stale := spoil()
	if err := s.Repair(t.Context(), stale); err != nil || isDirAt(s.LayerDir(digest(l))) {
		t.Fatalf("of a damaged layer: %v", err)
	}
	put(t, s, "one:1", l)
	if err := s.Repair(t.Context(), stale); err != nil || !isDirAt(s.LayerDir(digest(l))) {
		t.Errorf("of a layer that is whole again: %v", err)
	}

	// A writer that relies on it keeps even a damaged one.
	bad := spoil()
	other := openAt(t, s.Dir())
	release, err := other.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.PutLayer(t.Context(), digest(l), reader(l), layer.Defaults()); err != nil {
		t.Fatal(err)
	}
	if err := s.Repair(t.Context(), bad); !errors.Is(err, ErrInUse) || !isDirAt(s.LayerDir(digest(l))) {
		t.Errorf("of one that a writer relies on: %v", err)
	}
	release()

	// So does an image in use of which more is damaged, so that its layers are not known.
	img, err := s.Find("one:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	use, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blobFile(s, img.ConfigDigest), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Repair(t.Context(), bad); !errors.Is(err, ErrInUse) || !isDirAt(s.LayerDir(digest(l))) {
		t.Errorf("of a used image with a damaged configuration: %v", err)
	}
	use()
	if err := s.Repair(t.Context(), bad); err != nil || isDirAt(s.LayerDir(digest(l))) {
		t.Errorf("of what nobody needs: %v", err)
	}
}
