package registry

import (
	"net/http"
	"strconv"
	"time"
)

// longest bounds what is made of a Retry-After header, so that sums of it do not overflow.
const longest = 365 * 24 * time.Hour

// retryAfter reads a Retry-After header: seconds, or a date. What is neither, or past, is zero.
// Source: RFC 9110, section 10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	if n, err := strconv.ParseUint(header, 10, 63); err == nil {
		return time.Duration(min(n, uint64(longest/time.Second))) * time.Second
	} else if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return longest
	}
	t, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), longest)
}
