package layer

import (
	"context"
	"io"
)

// stream is the layer's tar stream: it stops with the context, counts, and ends with a *LimitError.
type stream struct {
	ctx  context.Context
	r    io.Reader
	left int64
	max  int64
}

// Read reads on unless the context or the limit is at its end.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	// One byte more than allowed is asked for, so that a stream of exactly the limit still finds its end.
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		s.left = 0
		return 0, &LimitError{"stream bytes", s.max}
	}
	return n, err
}
