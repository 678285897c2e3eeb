package changes

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Packed is a compressed layer that somebody has taken.
type Packed struct {
	Result              // of the layer as it is uncompressed: DiffID goes into the image's configuration
	Digest      v1.Hash // of what was taken, for the image's manifest
	PackedBytes int64   // its size
}

// Put takes a blob, read to its end, and says what it is. (*store.Store).PutNewBlob is one.
type Put func(ctx context.Context, r io.Reader) (v1.Hash, int64, error)

// Pack writes the upper directory of a tree as WriteLayer does, compressed with gzip, to put: reading, compressing and
// storing run beside each other, in one pass and without a temporary file.
//
// Errors: those of WriteLayer, and that of put.
func Pack(ctx context.Context, t Tree, put Put) (Packed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	var result Result
	made := make(chan error, 1)
	go func() {
		err := Gzip(w, func(w io.Writer) (err error) {
			result, err = WriteLayer(ctx, w, t)
			return err
		})
		made <- err
		_ = w.CloseWithError(err)
	}()
	digest, n, err := put(ctx, r)
	// A put that wants no more must not leave the writer waiting.
	_ = r.CloseWithError(errNotTaken)
	if err != nil {
		cancel()
	}
	werr := <-made
	switch {
	case err == nil && werr == nil:
		return Packed{result, digest, n}, nil
	case err == nil || werr != nil && errors.Is(err, werr): // put has only handed it on
		return Packed{}, werr
	}
	return Packed{}, err
}

var errNotTaken = errors.New("changes: the layer was not taken to its end")
