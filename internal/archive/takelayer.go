package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/flow"
	"github.com/caisson-go/caisson/internal/store"
)

// taken is a layer in staging.
type taken struct {
	mediaType      types.MediaType
	digest, diffID v1.Hash
	size           int64
}

// takeLayer stages a tar file as it comes, and unpacks it beside that for its diff id.
func takeLayer(ctx context.Context, in *store.Intake, r io.Reader) (*taken, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	p, err := sniff(head)
	if err != nil {
		return nil, err
	}
	var src io.Reader = b
	if p == bzipped {
		u, err := unpack(p, b)
		if err != nil {
			return nil, err
		}
		src, p = u, plain
	}
	return takeBoth(ctx, in, p, flow.AtMost(src, store.MaxBlob, errTooLong))
}

// takeBoth reads the source once for both ends, in the caller's goroutine: a Read that blocks must not outlast the call.
// The error of the one that fails first ends the other.
func takeBoth(ctx context.Context, in *store.Intake, p packing, src io.Reader) (*taken, error) {
	l := &taken{mediaType: p.mediaType()}
	r, w := io.Pipe()
	var wg sync.WaitGroup
	var unpackErr error
	wg.Go(func() {
		l.diffID, unpackErr = diffIDOf(ctx, p, r)
		r.CloseWithError(unpackErr)
	})
	var err error
	l.digest, l.size, err = in.Take(ctx, io.TeeReader(src, w))
	w.CloseWithError(err)
	wg.Wait()
	if unpackErr != nil { // if it was first, err is the same; if not, the other way round
		return nil, unpackErr
	}
	return l, err
}

// diffIDOf unpacks a tar file to its end.
func diffIDOf(ctx context.Context, p packing, r io.Reader) (v1.Hash, error) {
	u, err := unpack(p, r)
	if err != nil {
		return v1.Hash{}, err
	}
	defer u.Close()
	h := newHashed(ctx, u)
	switch _, err := tar.NewReader(h).Next(); {
	case err == io.EOF && h.n == 0:
		return v1.Hash{}, fmt.Errorf("%w: it is empty", errNoTar)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF) && h.n < 512:
		return v1.Hash{}, fail("", fmt.Errorf("%w: %w", errNoTar, err), "give it a tar file of a root file system")
	case err != nil && err != io.EOF && !errors.Is(err, tar.ErrInsecurePath):
		return v1.Hash{}, err
	}
	if _, err := io.Copy(io.Discard, h); err != nil {
		return v1.Hash{}, err
	}
	_, err = io.Copy(io.Discard, r)
	return h.digest(), err
}

var (
	errNoTar   = fmt.Errorf("%w, nor a tar file", ErrFormat)
	errTooLong = fmt.Errorf("%w: more than %d GiB", ErrTooLarge, store.MaxBlob>>30)
)
