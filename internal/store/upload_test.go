package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// staged counts what lies in staging.
func staged(t testing.TB, s *Store) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir(), "staging"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestUploadInPieces(t *testing.T) {
	s := open(t)
	for range 2 { // the second finds the blob there
		u, err := s.NewUpload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Append(t.Context(), strings.NewReader("one "), 100); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		if err := u.Append(t.Context(), io.MultiReader(strings.NewReader("two "), iotest.ErrReader(broken)), 100); !errors.Is(err, broken) {
			t.Errorf("Append = %v", err)
		}
		if u.Size() != 8 {
			t.Errorf("%d bytes have come", u.Size())
		}
		if err := u.Append(t.Context(), strings.NewReader("three"), 13); err != nil {
			t.Fatal(err)
		}
		want := digest([]byte("one two three"))
		if err := u.Commit(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if !s.HasBlob(want, 13) {
			t.Error("no blob came of it")
		}
		if err := u.Append(t.Context(), strings.NewReader("x"), 100); err == nil {
			t.Error("Append after Commit")
		}
		u.Discard()
	}
	if n := staged(t, s); n != 0 {
		t.Errorf("%d things left in staging", n)
	}
}

func TestUploadRefused(t *testing.T) {
	s := open(t)
	begin := func() *Upload {
		u, err := s.NewUpload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	u := begin()
	if err := u.Append(t.Context(), bytes.NewReader(make([]byte, 101)), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	u = begin()
	if err := u.Append(t.Context(), strings.NewReader("x"), 100); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context(), digest([]byte("y"))); !errors.Is(err, ErrDigest) {
		t.Errorf("other digest: %v", err)
	}
	u = begin()
	h := digest(nil)
	h.Algorithm = "sha512"
	if err := u.Commit(t.Context(), h); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("other algorithm: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u = begin()
	if err := u.Append(ctx, strings.NewReader("x"), 100); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	u.Discard()
	if n := staged(t, s); n != 0 {
		t.Errorf("%d things left in staging", n)
	}
}
