package imagefs

import (
	"context"
	"hash"
	"io"

	"github.com/caisson-go/caisson/internal/layer"
)

// tally is the tar stream of a layer: it counts, stops with the context, and ends with a *layer.LimitError.
type tally struct {
	ctx  context.Context
	r    io.Reader
	sum  hash.Hash // nil: not asked for
	pos  int64
	next int64 // where the next header begins
	max  int64
}

// Read reads on unless the context or the limit is at its end.
func (t *tally) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := t.r.Read(p)
	if t.sum != nil {
		t.sum.Write(p[:n])
	}
	if t.pos += int64(n); t.pos > t.max {
		return 0, &layer.LimitError{What: "stream bytes", Max: t.max}
	}
	return n, err
}

// seekingTally is a tally whose stream can skip what is not wanted; package tar makes use of it.
type seekingTally struct {
	*tally
	s io.Seeker
}

// Seek moves on in the stream.
func (t *seekingTally) Seek(offset int64, whence int) (int64, error) {
	pos, err := t.s.Seek(offset, whence)
	if err == nil {
		t.pos = pos
	}
	return pos, err
}
