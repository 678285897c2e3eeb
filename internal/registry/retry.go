package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

const (
	maxTries = 4
	maxPause = 30 * time.Second
)

// retry repeats requests that failed for a reason that may pass. The client's own repetition sleeps without regard to
// the context, so it is switched off.
type retry struct {
	next  http.RoundTripper
	pause time.Duration // before the first repetition; doubled each time
}

// RoundTrip sends a request that has no body, several times if need be.
func (t *retry) RoundTrip(r *http.Request) (*http.Response, error) {
	pause := t.pause
	for try := 1; ; try++ {
		resp, err := t.next.RoundTrip(r)
		if try == maxTries || r.Body != nil || !passing(resp, err) {
			return resp, err
		}
		if resp != nil {
			asked, ok := retryAfter(resp)
			if ok && asked > maxPause {
				return resp, nil // longer than anybody wants to wait without knowing
			}
			resp.Body.Close()
			pause = max(pause, asked)
		}
		if err := sleep(r.Context(), pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, maxPause)
	}
}

// passing reports whether trying again may help.
func passing(resp *http.Response, err error) bool {
	if err != nil {
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the seconds that the server asks for.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	n, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, 1<<20)) * time.Second, true
}

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
