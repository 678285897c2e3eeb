package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestIntake(t *testing.T) {
	s := open(t)
	in, err := s.NewIntake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("content")
	for range 2 { // the same twice is one
		h, n, err := in.Take(t.Context(), bytes.NewReader(content))
		if err != nil || h != digest(content) || n != 7 {
			t.Fatalf("Take: %v, %d, %v", h, n, err)
		}
	}
	broken := errors.New("broken")
	if _, _, err := in.Take(t.Context(), io.MultiReader(bytes.NewReader(content[:3]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a source that breaks: %v", err)
	}
	other, _, err := in.Take(t.Context(), bytes.NewReader(nil)) // an error before does no harm
	if err != nil {
		t.Fatal(err)
	}
	if s.HasBlob(digest(content), 7) {
		t.Error("the blob is visible")
	}
	rc, err := in.Open(digest(content))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(rc); err != nil || !bytes.Equal(b, content) {
		t.Errorf("Open: %q, %v", b, err)
	}
	rc.Close()
	// A damaged blob is replaced.
	path := filepath.Join(s.Dir(), "blobs/sha256", digest(content).Hex)
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := in.Publish(t.Context(), digest(content)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, content) {
		t.Errorf("published: %q, %v", b, err)
	}
	for _, h := range []v1.Hash{digest(content), digest([]byte("never seen"))} {
		if err := in.Publish(t.Context(), h); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Publish of what is not there: %v", err)
		}
		if _, err := in.Open(h); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open of what is not there: %v", err)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if s.HasBlob(other, 0) {
		t.Error("what was not published is visible")
	}
	if list, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(list) > 0 {
		t.Errorf("left in staging: %v", list)
	}
}

func TestAdd(t *testing.T) {
	s := open(t)
	one, two := put(t, s, "one:1", tarOf(t, "a", "1")), put(t, s, "two:1", tarOf(t, "a", "2"))
	list := []Addition{{Desc: one, Names: []string{"new:1", "two:1"}}, {Desc: two, Names: []string{"new:2"}}}
	if err := s.Add(t.Context(), list, false); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(list[0].Kept, []string{"two:1"}) || len(list[1].Kept) > 0 {
		t.Errorf("kept are %v and %v", list[0].Kept, list[1].Kept)
	}
	at := func(ref string, want v1.Descriptor) {
		t.Helper()
		if d, err := s.Descriptor(ref); err != nil || d.Digest != want.Digest || d.Annotations[refName] != ref {
			t.Errorf("%s is at %+v, %v", ref, d, err)
		}
	}
	at("new:1", one)
	at("new:2", two)
	at("two:1", two)
	if err := s.Add(t.Context(), list[:1], true); err != nil || len(list[0].Kept) > 0 {
		t.Fatalf("%v, kept are %v", err, list[0].Kept)
	}
	at("two:1", one)

	// All or nothing.
	missing := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest([]byte("none")), Size: 4}
	for _, bad := range []Addition{{Desc: missing, Names: []string{"x:2"}}, {Desc: one, Names: []string{"x y"}}, {Desc: v1.Descriptor{Digest: one.Digest, Size: one.Size}}} {
		if err := s.Add(t.Context(), []Addition{{Desc: one, Names: []string{"x:1"}}, bad}, true); err == nil {
			t.Errorf("%+v was added", bad)
		}
		if _, err := s.Descriptor("x:1"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("half of it is visible: %v", err)
		}
	}
	// Without a name it is there once, and has none.
	dangling := put(t, s, "gone:1", tarOf(t, "a", "3"))
	if err := s.Untag(t.Context(), "gone:1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Add(t.Context(), []Addition{{Desc: dangling}}, false); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for img := range s.Images() {
		if img.Digest == dangling.Digest {
			n++
		}
	}
	if d, err := s.Descriptor(dangling.Digest.String()); err != nil || len(d.Annotations) > 0 || n != 1 {
		t.Errorf("%d entries, %+v, %v", n, d, err)
	}
}
