package layer

import (
	"context"
	"io"

	"github.com/caisson-go/caisson/internal/flow"
)

// stream is the tar stream of a layer: it ends with the context, and with a *LimitError where there is too much of it.
func stream(ctx context.Context, r io.Reader, l Limits) io.Reader {
	return flow.While(ctx, flow.AtMost(r, l.Bytes, &LimitError{"stream bytes", l.Bytes}))
}
