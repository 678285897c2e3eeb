package registry

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// maxTries is how often one thing is asked for at most, the first time included.
	maxTries = 5

	// mirrorTries is the same for a mirror: there is somebody else to ask.
	mirrorTries = 2

	// maxPause bounds a pause between two tries, also one that the registry asks for: nobody wants to wait longer
	// without knowing.
	maxPause = 60 * time.Second
)

// tries counts how often one thing was asked for. It is the only place that waits before asking again.
type tries struct {
	left  int
	pause time.Duration // before the next try, less the jitter; doubled each time
}

// start begins to count. The first try is on its way.
func start(max int, pause time.Duration) tries { return tries{max - 1, pause} }

// again waits until it is time for another try after err. If there is none, err is returned.
func (t *tries) again(ctx context.Context, err error) error {
	if ctx.Err() != nil || t.left <= 0 || !passing(err) {
		return err
	}
	pause := jitter(t.pause)
	var answer *StatusError
	if errors.As(err, &answer) && answer.RetryAfter > 0 {
		if answer.RetryAfter > maxPause {
			return err
		}
		pause = max(pause, answer.RetryAfter+rand.N(answer.RetryAfter/10+1)) // never earlier
	}
	if serr := sleep(ctx, pause); serr != nil {
		return serr
	}
	t.left--
	t.pause = min(2*t.pause, maxPause)
	return nil
}

// jitter is half of a pause and a random part of the other half: those that failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// passing reports whether trying again may help.
func passing(err error) bool {
	var answer *StatusError
	if errors.As(err, &answer) {
		switch answer.Code {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var broken *brokenError
	var operation *net.OpError
	var lookup *net.DNSError
	var stream streamError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return true
	case errors.As(err, &broken), errors.As(err, &stream):
		return true
	case errors.As(err, &lookup):
		return lookup.IsTemporary
	case errors.As(err, &operation):
		return operation.Op != "dial" // reading, writing, or both at once
	}
	return false
}

// streamError is the form of net/http's error for an HTTP/2 stream that was reset; errors.As of its private type fills
// any struct that looks so.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error is never seen.
func (streamError) Error() string { return "stream error" }

// brokenError is a body that ended before its time, for whatever reason.
type brokenError struct{ err error }

// Error is the reason.
func (b *brokenError) Error() string { return b.err.Error() }

// Unwrap is the reason.
func (b *brokenError) Unwrap() error { return b.err }

// sleep waits until the time is over or ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
