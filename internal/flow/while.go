package flow

import (
	"context"
	"io"
)

// While yields r until ctx ends, and from then on ctx.Err(). It starts no goroutine: a Read of r that lasts is not ended.
func While(ctx context.Context, r io.Reader) io.Reader { return &while{ctx, r} }

type while struct {
	ctx context.Context
	r   io.Reader
}

func (w *while) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
