package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
	"github.com/caisson-go/caisson/internal/layer"
)

// PutBlobThrough is PutBlob for a blob that is wanted at once: while the content is being stored, through reads the same
// bytes, at most flow.Memory ahead of the disk or behind it. They are verified only at their end: if they are wrong,
// through sees ErrDigest or ErrSize there instead of io.EOF, and so does not take for whole what is not.
//
// If through returns nil early, the rest is stored without it; if it fails, the blob is dropped and its error returned,
// unless the content turned out to be wrong as well. A blob that is there already is read from the disk, and r is not
// read. The reader is also an io.Closer, for those who have to end a Read that waits in another goroutine.
//
// Errors: those of PutBlob, and that of through.
func (s *Store) PutBlobThrough(ctx context.Context, want v1.Hash, size int64, r io.Reader, through func(r io.Reader) error) error {
	return wrap("blob", want.String(), s.putBlobThrough(ctx, want, size, r, through))
}

func (s *Store) putBlobThrough(ctx context.Context, want v1.Hash, size int64, r io.Reader, through func(io.Reader) error) error {
	there, err := s.addBlob(ctx, want, size, func(root disk, staged string) error {
		return writeThrough(ctx, root, staged, want, size, r, through)
	})
	if err != nil || !there {
		return err
	}
	f, err := s.openBlob(want)
	if err != nil {
		return err
	}
	defer f.Close()
	return through(storedBlob{flow.While(ctx, f), f})
}

// storedBlob is a blob that ends with the context.
type storedBlob struct {
	io.Reader
	io.Closer
}

// writeThrough writes and verifies the file in a goroutine of its own, and calls through in the caller's.
func writeThrough(ctx context.Context, root disk, name string, want v1.Hash, size int64, r io.Reader, through func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := flow.Split(ctx, io.LimitReader(r, size+1), 2)
	var stored error
	end := &verdict{Reader: readers[1], known: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer readers[0].Close()
		if stored = writeVerified(root, name, want, size, readers[0], end.is); stored != nil {
			cancel()
		}
	})
	err := beside(&wg, cancel, readers[1], func(io.Reader) error { return through(end) })
	// A stored error that only comes of the cancelling says less than that of through.
	if err != nil && (stored == nil || errors.Is(stored, context.Canceled)) {
		return err
	}
	return stored
}

// verdict yields a stream whose end tells what is known by then of all of it.
type verdict struct {
	*flow.Reader
	known chan struct{}
	err   error // once known is closed
}

// is tells what is known.
func (v *verdict) is(err error) {
	v.err = err
	close(v.known)
}

// Read reads on. At the end it waits for the other reader to have got there.
func (v *verdict) Read(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	return n, v.end(err)
}

// WriteTo writes everything to w.
func (v *verdict) WriteTo(w io.Writer) (int64, error) {
	n, err := v.Reader.WriteTo(w)
	if err == nil {
		err = v.end(io.EOF)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (v *verdict) end(err error) error {
	if err != io.EOF {
		return err
	}
	if <-v.known; v.err != nil {
		return v.err
	}
	return io.EOF
}

// beside calls through and waits for the others, whom it ends if through does not succeed or does not even return.
func beside(wg *sync.WaitGroup, cancel func(), r *flow.Reader, through func(io.Reader) error) error {
	defer wg.Wait()
	defer r.Close()
	good := false
	defer func() {
		if !good {
			cancel()
		}
	}()
	err := through(r)
	good = err == nil
	return err
}

// unpackVerified unpacks a layer and fails unless the stream has its digest. Whatever r does to make the stream, and the
// computing of the digest, happen in goroutines of their own, so that they do not wait for the files, nor the files for
// them. r is not used any more when unpackVerified returns.
func unpackVerified(ctx context.Context, dir *os.File, r io.Reader, diffID v1.Hash, o layer.Options) (stats layer.Stats, err error) {
	all, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := flow.Split(all, r, 2)
	sum := sha256.New()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer readers[0].Close()
		_, _ = io.Copy(sum, readers[0]) // an error of r is seen by both
	})
	err = beside(&wg, cancel, readers[1], func(r io.Reader) error {
		stats, err = layer.Unpack(ctx, dir, r, o)
		return err
	})
	if err == nil && !matches(sum, diffID) {
		err = ErrDigest
	}
	return stats, err
}
