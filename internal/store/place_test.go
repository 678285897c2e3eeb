package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// blobFile is where a blob lies.
func blobFile(s *Store, h v1.Hash) string { return filepath.Join(s.Dir(), "blobs/sha256", h.Hex) }

// publishes takes content in and publishes it.
func publishes(t *testing.T, s *Store, content []byte) error {
	t.Helper()
	in, err := s.NewIntake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	h, _, err := in.Take(t.Context(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	err = in.Publish(t.Context(), h)
	if _, there := in.Size(h); there == (err == nil) {
		t.Errorf("after %v the intake has it: %v", err, there)
	}
	return err
}

// Loading an image again takes it from nobody who uses it.
func TestPublishUsed(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	manifest, err := s.Document(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	before := objects(t, s)
	if err := publishes(t, openAt(t, s.Dir()), manifest); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Prune(t.Context(), PruneOptions{All: true}); err != nil || len(r.Blobs)+len(r.Layers)+len(r.Untagged) > 0 {
		t.Errorf("Prune after a load: %+v, %v", r, err)
	}
	if after := objects(t, s); !slices.Equal(after, before) {
		t.Errorf("left of a used image: %v", after)
	}
}

// A damaged manifest stays under its users, however it should be removed or replaced, and not longer.
func TestReplaceUsed(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	manifest, err := s.Document(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]func() error{
		"check":   func() error { return s.CheckBlob(t.Context(), d.Digest) },
		"repair":  func() error { return s.Repair(t.Context(), Problem{Kind: ProblemBlob, Object: d.Digest}) },
		"publish": func() error { return publishes(t, s, manifest) },
	}
	shorter := map[string]func() error{
		"put": func() error { return s.PutBlob(t.Context(), d.Digest, d.Size, bytes.NewReader(manifest)) },
		"put new": func() error {
			_, _, err := s.PutNewBlob(t.Context(), bytes.NewReader(manifest))
			return err
		},
		"upload": func() error {
			u, err := s.NewUpload(t.Context())
			if err == nil {
				err = u.Append(t.Context(), bytes.NewReader(manifest), d.Size)
			}
			if err == nil {
				err = u.Commit(t.Context(), d.Digest)
			}
			return err
		},
	}
	refused := func(ways map[string]func() error) {
		t.Helper()
		for name, f := range ways {
			var e *Error
			if err := f(); !errors.Is(err, ErrInUse) || !errors.As(err, &e) || e.Hint == "" && errors.Unwrap(e) == nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); !errors.Is(err, ErrInUse) {
				t.Fatalf("Remove after %s: %v", name, err)
			}
		}
	}
	spoil := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(blobFile(s, d.Digest), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoil(bytes.Repeat([]byte("x"), len(manifest)))
	refused(ways)
	spoil(manifest[:10])
	refused(ways)
	refused(shorter)
	release()
	for name, f := range shorter {
		spoil(manifest[:10])
		if err := f(); err != nil || s.CheckBlob(t.Context(), d.Digest) != nil {
			t.Errorf("%s of what nobody uses: %v", name, err)
		}
	}
	spoil(manifest[:10])
	if err := publishes(t, s, manifest); err != nil || s.CheckBlob(t.Context(), d.Digest) != nil {
		t.Errorf("publish of what nobody uses: %v", err)
	}
	spoil(manifest[:10])
	if err := s.CheckBlob(t.Context(), d.Digest); !errors.Is(err, ErrDigest) || errors.Is(err, ErrInUse) {
		t.Errorf("check of what nobody uses: %v", err)
	}
	if _, err := os.Lstat(blobFile(s, d.Digest)); err == nil {
		t.Error("the damaged blob is still there")
	}
}
