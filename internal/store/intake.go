package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
)

// Intake takes blobs in whose digests are known only when they have come, as those of an archive are. They stay in
// staging, where nothing sees them, until Publish. It is for one goroutine, but Open and Size are for several.
type Intake struct {
	s     *Store
	root  disk
	stage *stage
	sizes map[v1.Hash]int64
}

// NewIntake begins an intake. The caller closes it.
func (s *Store) NewIntake(ctx context.Context) (*Intake, error) {
	root, err := s.write(ctx)
	if err != nil {
		return nil, wrap("intake", s.dir, err)
	}
	st, err := newStage(ctx, root)
	if err != nil {
		root.Close()
		return nil, wrap("intake", s.dir, err)
	}
	return &Intake{s, root, st, map[v1.Hash]int64{}}, nil
}

// Take reads r to its end, and returns the digest and the size in bytes of what it had. The same content is kept once.
func (in *Intake) Take(ctx context.Context, r io.Reader) (v1.Hash, int64, error) {
	h, n, err := in.take(flow.While(ctx, r))
	return h, n, wrap("intake", "", err)
}

func (in *Intake) take(r io.Reader) (v1.Hash, int64, error) {
	arriving := in.stage.path + "/arriving"
	if err := in.root.Remove(arriving); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an error before
		return v1.Hash{}, 0, err
	}
	f, err := in.root.Create(arriving)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), r)
	if err = errors.Join(err, f.Close()); err != nil {
		return v1.Hash{}, n, err
	}
	h := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
	if _, ok := in.sizes[h]; ok {
		return h, n, in.root.Remove(arriving)
	}
	if err := in.root.Rename(arriving, in.path(h)); err != nil {
		return v1.Hash{}, n, err
	}
	in.sizes[h] = n
	return h, n, nil
}

// Size returns the size in bytes of a blob that was taken, and whether there is one.
func (in *Intake) Size(h v1.Hash) (int64, bool) {
	n, ok := in.sizes[h]
	return n, ok
}

// Open opens a blob that was taken and is not published yet. Errors: *Error around fs.ErrNotExist, the errno.
func (in *Intake) Open(h v1.Hash) (io.ReadCloser, error) {
	if _, ok := in.sizes[h]; !ok {
		return nil, wrap("intake", h.String(), fs.ErrNotExist)
	}
	f, err := in.root.Open(in.path(h))
	if err != nil {
		return nil, wrap("intake", h.String(), err)
	}
	return f, nil
}

// Publish makes a blob that was taken one of the store's, for good. One that the store has already is kept, and
// replaced if it is damaged. Between Begin and the Tag nothing removes it.
//
// Errors: *Error around fs.ErrNotExist, ErrInUse (the store's is damaged, and in use), ctx.Err(), the errno.
func (in *Intake) Publish(ctx context.Context, h v1.Hash) error {
	if err := ctx.Err(); err != nil {
		return wrap("intake", h.String(), err)
	}
	if _, ok := in.sizes[h]; !ok {
		return wrap("intake", h.String(), fs.ErrNotExist)
	}
	return wrap("intake", h.String(), in.publish(ctx, h))
}

func (in *Intake) publish(ctx context.Context, h v1.Hash) error {
	if err := in.s.note(ctx, h); err != nil {
		return err
	}
	whole := ofDigest(ctx, h)
	if kept, err := keepWhole(ctx, in.root, h, whole); kept || err != nil {
		return in.over(h, err)
	}
	f, err := in.root.Rewrite(in.path(h)) // there are systems where only files open for writing can be synced
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return in.over(h, place(ctx, in.root, in.path(h), h, whole))
}

// over ends what the intake has of a blob once the store has it.
func (in *Intake) over(h v1.Hash, err error) error {
	if err != nil {
		return err
	}
	delete(in.sizes, h)
	_ = in.root.Remove(in.path(h)) // there if the store had it already; if it can not be removed now, Close does
	return nil
}

// Close removes what was not published.
func (in *Intake) Close() error {
	in.stage.discard()
	return in.root.Close()
}

func (in *Intake) path(h v1.Hash) string { return in.stage.path + "/" + h.Hex }
