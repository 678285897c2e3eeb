package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
)

func TestStoreNewBlob(t *testing.T) {
	s := open(t)
	content := bytes.Repeat([]byte("not known yet "), 100_000)
	for range 2 { // the second time it is there
		h, n, err := s.PutNewBlob(t.Context(), bytes.NewReader(content))
		if err != nil || h != digest(content) || n != int64(len(content)) {
			t.Fatalf("%v, %d, %v", h, n, err)
		}
		if !s.HasBlob(h, n) {
			t.Error("it is not there")
		}
		if err := s.CheckBlob(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	before := files(t, filepath.Join(s.Dir(), "blobs"))
	broken := errors.New("broken")
	if _, _, err := s.PutNewBlob(t.Context(), io.MultiReader(bytes.NewReader(content[:70_000]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken reader: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.PutNewBlob(ctx, bytes.NewReader(content[1:])); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if after := files(t, filepath.Join(s.Dir(), "blobs")); !slices.Equal(before, after) {
		t.Errorf("%q, then %q", before, after)
	}
	if left := files(t, filepath.Join(s.Dir(), "staging")); len(left) != 1 {
		t.Errorf("left in staging: %q", left)
	}
}
