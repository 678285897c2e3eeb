package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// worthwhile is how many bytes a try must have brought so as not to count: a large blob over a poor line may break off
// more often than maxTries, as long as it gets on.
const worthwhile = 8 << 20

// blobReader reads a blob from whoever has it. Where an answer breaks off it asks for the rest, so that whoever reads,
// and takes the digest, sees one stream. That the parts belong together is not for the ETag to say but for the digest.
type blobReader struct {
	ctx  context.Context
	c    *client
	d    v1.Descriptor
	seen func(n int) // every byte once

	e    *endpoint   // who is asked
	rest []*endpoint // who can be asked after that
	from bool        // a mirror brought something
	t    tries
	body io.ReadCloser
	n    int64 // bytes handed out
	got  int64 // since the last try that counted
	full bool  // no ranges any more: this endpoint answers them with something else
	err  error // why body broke off, to be dealt with by the next Read
}

// blob opens a blob. Of what is read nothing is verified yet. mirrors says whether they are asked.
func (c *client) blob(ctx context.Context, d v1.Descriptor, mirrors bool, seen func(n int)) (*blobReader, error) {
	b := &blobReader{ctx: ctx, c: c, d: d, seen: seen, rest: c.endpoints}
	if !mirrors {
		b.rest = b.rest[len(b.rest)-1:]
	}
	b.next()
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// next goes on to the next endpoint that is in order, and reports whether there is one.
func (b *blobReader) next() bool {
	for len(b.rest) > 0 {
		e := b.rest[0]
		b.rest = b.rest[1:]
		if !e.mirror || !e.lacks.Load() && b.c.o.Breaker.allow(e.host) {
			b.e, b.full, b.t = e, false, b.c.attempts(e)
			return true
		}
	}
	return false
}

// Read reads on, over as many answers as it takes. It reads beyond the size if there is more, for the store to see.
func (b *blobReader) Read(p []byte) (int, error) {
	for {
		if b.body == nil {
			if err := b.again(b.err); err != nil {
				return 0, err
			}
		}
		n, err := b.body.Read(p)
		if n > 0 {
			b.took(n)
		}
		switch {
		case b.n == b.d.Size && err != nil, b.n > b.d.Size: // all there is; or more than that, which ends it
			return n, io.EOF
		case err == io.EOF:
			err = fmt.Errorf("%w: %d of %d bytes (%w)", store.ErrSize, b.n, b.d.Size, io.ErrUnexpectedEOF)
		case err != nil:
			err = redact(err)
		}
		if err != nil {
			b.drop(&brokenError{err}) // also if it stalls: there may be much already
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (b *blobReader) took(n int) {
	b.n += int64(n)
	b.got += int64(n)
	b.from = b.from || b.e.mirror
	b.seen(int(min(int64(n), max(b.d.Size-b.n+int64(n), 0))))
}

// drop gives up the answer that is being read.
func (b *blobReader) drop(err error) {
	b.Close()
	b.body, b.err = nil, err
}

// Close ends the request.
func (b *blobReader) Close() error {
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}

// again opens the blob once more after err, if it may.
func (b *blobReader) again(err error) error {
	if b.got >= worthwhile {
		b.t = b.c.attempts(b.e)
	}
	b.got = 0
	if err := b.wait(err); err != nil {
		return err
	}
	return b.open()
}

// open asks until somebody answers with the part that is wanted.
func (b *blobReader) open() error {
	for {
		body, err := b.ask(b.e)
		if err == nil {
			b.c.report(b.ctx, b.e, nil)
			b.body, b.err = body, nil
			return nil
		}
		if errors.Is(err, ErrStalled) || errors.Is(err, errRange) {
			err = &brokenError{err}
		}
		if err := b.wait(err); err != nil {
			return err
		}
	}
}

// wait waits for the next try, or goes on to the next endpoint.
func (b *blobReader) wait(err error) error {
	gone := b.t.again(b.ctx, err)
	if gone == nil || b.ctx.Err() != nil {
		return gone
	}
	b.c.report(b.ctx, b.e, err)
	if !b.next() {
		return err
	}
	return nil
}
