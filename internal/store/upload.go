package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
)

// Upload is a blob that comes in pieces, and whose digest is said at the end. It lies in staging, where nothing sees it,
// and goes with its process. It is for one goroutine at a time.
type Upload struct {
	s     *Store
	root  disk
	stage *stage
	file  output
	sum   hash.Hash
	size  int64
	err   error // what ended it
}

// errOver is what an upload says that was committed or discarded.
var errOver = errors.New("the upload is over")

// NewUpload begins an upload. The caller ends it with Commit or Discard.
//
// Errors: *Error around ctx.Err(), the errno.
func (s *Store) NewUpload(ctx context.Context) (*Upload, error) {
	root, err := s.write(ctx)
	if err != nil {
		return nil, wrap("upload", s.dir, err)
	}
	st, err := newStage(ctx, root)
	if err != nil {
		root.Close()
		return nil, wrap("upload", s.dir, err)
	}
	u := &Upload{s: s, root: root, stage: st, sum: sha256.New()}
	if u.file, err = root.Create(u.path()); err != nil {
		st.discard()
		root.Close()
		return nil, wrap("upload", s.dir, err)
	}
	return u, nil
}

func (u *Upload) path() string { return u.stage.path + "/blob" }

// Size is how many bytes have come.
func (u *Upload) Size() int64 { return u.size }

// Over reports an upload that takes nothing more: it was committed, discarded, or could not be written.
func (u *Upload) Over() bool { return u.err != nil }

// Append adds what r yields. What came before an error of r, or the end of ctx, stays; an upload that gets more than
// limit bytes in all, or can not be written, is discarded.
//
// Errors: *Error around ErrTooLarge, the error of r, ctx.Err(), the errno.
func (u *Upload) Append(ctx context.Context, r io.Reader, limit int64) error {
	return wrap("upload", "", u.append(flow.While(ctx, r), limit))
}

func (u *Upload) append(r io.Reader, limit int64) error {
	if u.err != nil {
		return u.err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if int64(n) > limit-u.size {
			return u.end(fmt.Errorf("%w: %d bytes are", ErrTooLarge, limit))
		}
		u.sum.Write(buf[:n])
		u.size += int64(n)
		if _, werr := u.file.Write(buf[:n]); werr != nil {
			return u.end(werr)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Commit makes the upload a blob of the store, and ends it in any case. A blob that is there already is kept.
//
// Errors: *Error around ErrDigest, errors.ErrUnsupported (not SHA-256), ctx.Err(), the errno.
func (u *Upload) Commit(ctx context.Context, want v1.Hash) error {
	err := u.err
	if err == nil {
		err = u.commit(ctx, want)
		_ = u.end(errOver)
	}
	return wrap("upload", want.String(), err)
}

func (u *Upload) commit(ctx context.Context, want v1.Hash) error {
	path, err := blobPath(want)
	if err != nil {
		return err
	}
	if hex.EncodeToString(u.sum.Sum(nil)) != want.Hex {
		return ErrDigest
	}
	if err := u.s.note(ctx, want); err != nil {
		return err
	}
	if fi, err := u.root.Lstat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == u.size {
		return nil
	}
	if err := u.file.Sync(); err != nil {
		return err
	}
	if err := u.close(); err != nil { // where an open file can not be renamed
		return err
	}
	return place(ctx, u.root, u.path(), want, ofSize(u.size))
}

// Discard ends the upload, unless it is over.
func (u *Upload) Discard() {
	if u.err == nil {
		_ = u.end(errOver)
	}
}

// end removes what is left, and returns why.
func (u *Upload) end(why error) error {
	u.err = why
	_ = u.close() // what was wanted of it is synced
	u.stage.discard()
	u.root.Close()
	return why
}

func (u *Upload) close() error {
	if u.file == nil {
		return nil
	}
	f := u.file
	u.file = nil
	return f.Close()
}
