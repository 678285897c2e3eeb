package changes_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/store"
)

func TestPackIntoAStore(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		st, err := store.Open(s.at("state"))
		must(t, err)
		p, err := changes.Pack(t.Context(), s.tree(), st.PutNewBlob)
		must(t, err)
		if !st.HasBlob(p.Digest, p.PackedBytes) {
			t.Errorf("%+v is not there", p)
		}
		blob, err := st.Blob(p.Digest)
		must(t, err)
		defer blob.Close()
		z, err := gzip.NewReader(blob)
		must(t, err)
		if h, n, err := v1.SHA256(z); err != nil || h != p.DiffID || n != p.Size {
			t.Errorf("%v, %d bytes, %v: want %+v", h, n, err, p.Result)
		}
	})
}

func TestPackErrors(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		full := errors.New("full")
		if _, err := changes.Pack(t.Context(), s.tree(), func(context.Context, io.Reader) (v1.Hash, int64, error) {
			return v1.Hash{}, 0, full
		}); !errors.Is(err, full) {
			t.Errorf("put fails at once: %v", err)
		}
		tree := s.tree()
		tree.Limits.Bytes = 1
		var limit *changes.LimitError
		if _, err := changes.Pack(t.Context(), tree, func(_ context.Context, r io.Reader) (v1.Hash, int64, error) {
			return v1.SHA256(r)
		}); !errors.As(err, &limit) {
			t.Errorf("the layer cannot be written: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := changes.Pack(ctx, s.tree(), func(_ context.Context, r io.Reader) (v1.Hash, int64, error) {
			var b bytes.Buffer
			_, err := b.ReadFrom(r)
			return v1.Hash{}, 0, err
		}); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}
