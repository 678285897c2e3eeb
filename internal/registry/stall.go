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

	// An answer that drips may not go on for ever either: in each rateWindow that is spent waiting for its content
	// there must come leastRate bytes per second on average. A modem of 1990 was faster.
	rateWindow = time.Minute
	leastRate  = 1 << 10
)

// pace is the least that an answer must bring.
type pace struct {
	idle   time.Duration // how long it may bring nothing
	window time.Duration // over which its rate is measured
	rate   int64         // bytes per second
}

// withDefaults fills in what is zero.
func (p pace) withDefaults() pace {
	if p.idle <= 0 {
		p.idle = idleTimeout
	}
	if p.window <= 0 {
		p.window = rateWindow
	}
	if p.rate <= 0 {
		p.rate = leastRate
	}
	return p
}

// unlessStalled sends a request, and ends it when nothing comes for too long: first the header, then each part of the
// body. What is sent may take its time as long as it is taken. It is the request's context that is ended, which a
// transport must obey.
func unlessStalled(next http.RoundTripper, r *http.Request, p pace) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stall := fmt.Errorf("%w for %v", ErrStalled, p.idle)
	timer := time.AfterFunc(maxTurns*p.idle, func() { cancel(stall) })
	sent := r.WithContext(ctx)
	if sent.Body != nil && sent.Body != http.NoBody {
		sent.Body = &sentBody{sent.Body, timer, maxTurns * p.idle}
	}
	resp, err := next.RoundTrip(sent)
	timer.Stop()
	if err != nil {
		err = stalled(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, timer: timer, pace: p}
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

// sentBody puts off the end of a request as long as its body is taken.
type sentBody struct {
	io.ReadCloser
	timer *time.Timer
	wait  time.Duration
}

// Read reads a part to be sent.
func (b *sentBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.wait)
	return b.ReadCloser.Read(p)
}

// watchedBody is a body whose reads do not last for ever, neither each nor together. Between them the reader may take
// its time.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	pace   pace

	waited time.Duration // since the window began
	came   int64         // in it
}

// Read reads, for as long as something comes, and enough of it.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.pace.idle)
	start := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	switch {
	case err == nil:
		err = b.measure(time.Since(start), n)
	case err != io.EOF:
		err = stalled(b.ctx, err)
	}
	return n, err
}

// measure ends a window when it is over.
func (b *watchedBody) measure(took time.Duration, n int) error {
	b.waited += took
	b.came += int64(n)
	if b.waited < b.pace.window {
		return nil
	}
	if float64(b.came) < float64(b.pace.rate)*b.waited.Seconds() {
		return fmt.Errorf("%w: only %d bytes in %v", ErrStalled, b.came, b.waited.Round(time.Millisecond))
	}
	b.waited, b.came = 0, 0
	return nil
}

// Close ends the request.
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
