package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// idleTimeout is how long an answer may bring nothing. A connection whose other side has gone without a word says
	// nothing for ever, and so may a registry that means no good.
	idleTimeout = 30 * time.Second

	// maxTurns times idleTimeout is how long an answer may take to begin, with the way there: looking up the name,
	// connecting, TLS and the header have bounds of their own in our transport, a caller's may have none.
	maxTurns = 4
)

// unlessStalled sends a request, and ends it when nothing comes for too long: first the header, then each part of the
// body. It is the request's context that is ended, which a transport must obey.
func unlessStalled(next http.RoundTripper, r *http.Request, idle time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stall := fmt.Errorf("%w for %v", ErrStalled, idle)
	timer := time.AfterFunc(maxTurns*idle, func() { cancel(stall) })
	resp, err := next.RoundTrip(r.WithContext(ctx))
	timer.Stop()
	if err != nil {
		err = stalled(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{resp.Body, ctx, cancel, timer, idle}
	return resp, nil
}

// stalled is the error of a request: a stall if that is what ended it, here or in the transport.
func stalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		return cause
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
		return &classError{ErrStalled, err}
	}
	return err
}

// watchedBody is a body whose reads do not last for ever. Between them the reader may take its time.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

// Read reads, for as long as something comes.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = stalled(b.ctx, err)
	}
	return n, err
}

// Close ends the request.
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
