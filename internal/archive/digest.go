package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
	"github.com/caisson-go/caisson/internal/store"
)

// hashed is a reader that knows the digest of what was read.
type hashed struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func newHashed(ctx context.Context, r io.Reader) *hashed {
	return &hashed{r: flow.While(ctx, r), sum: sha256.New()}
}

// Read reads and hashes.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	h.n += int64(n)
	return n, err
}

func (h *hashed) digest() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.sum.Sum(nil))}
}

// verify fails unless what was read has the digest.
func (h *hashed) verify(want v1.Hash) error {
	if h.digest() != want {
		return store.ErrDigest
	}
	return nil
}

func digestOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}
