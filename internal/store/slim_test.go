package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What an image says of itself does not make index.json so large that nobody can read it.
func TestIndexStaysSmall(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	huge := strings.Repeat("<", MaxDocument)
	d.Platform = &v1.Platform{OS: "linux", Architecture: huge, Variant: huge, OSVersion: "€" + huge, OSFeatures: []string{huge}, Features: []string{huge}}
	d.ArtifactType, d.URLs, d.Data = huge, []string{huge}, []byte(huge)
	d.Annotations = map[string]string{"x": huge}
	if err := s.Tag(t.Context(), "tagged:1", d); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), []Addition{{Desc: d, Names: []string{"added:1", "added:2"}}}, false); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(s.Dir(), "index.json"))
	if err != nil || fi.Size() > 10_000 {
		t.Fatalf("index.json has %d bytes, %v", fi.Size(), err)
	}
	if got := names(t, s); len(got) != 4 {
		t.Errorf("names %q", got)
	}
	got, err := s.Descriptor("added:1")
	if err != nil || got.Digest != d.Digest || got.Size != d.Size || got.MediaType != d.MediaType || got.Platform.OS != "linux" {
		t.Errorf("%+v, %v", got, err)
	}
	d.MediaType = types.MediaType(huge)
	if err := s.Tag(t.Context(), "long:1", d); !errors.Is(err, ErrDocument) {
		t.Errorf("a long media type: %.200v", err)
	}
}

// An index.json that could not be read again is not written.
func TestIndexTooLarge(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	root, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	index, err := readIndex(root)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxIndex / maxRef {
		d.Annotations = map[string]string{refName: fmt.Sprintf("%0*d", maxRef, i)}
		index.Manifests = append(index.Manifests, d)
	}
	var e *Error
	if err := writeIndex(t.Context(), root, index); !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("%v", err)
	}
	if got := names(t, s); len(got) != 1 {
		t.Errorf("names %q", got)
	}
}
