package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
)

const (
	maxErrorBody = 64 << 10
	maxMessage   = 300
)

// StatusError is an answer other than the one that was asked for.
// Source: OCI distribution specification, "Error Codes".
type StatusError struct {
	Method, URL string // the URL is without its query, which may hold a signature
	Code        int    // of HTTP

	// Message is what the registry says about it, at most 300 bytes without control characters; it may be empty.
	Message string

	// RetryAfter is how long the registry wants to be left alone. Zero: it does not say.
	RetryAfter time.Duration
}

// Error says what was asked and what came.
func (e *StatusError) Error() string {
	msg := fmt.Sprintf("%s %.300s: %d %s", e.Method, e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		msg += ": " + e.Message
	}
	return msg
}

// statusError reads what an answer says, and closes it.
func statusError(resp *http.Response) *StatusError {
	defer resp.Body.Close()
	e := &StatusError{Code: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if r := resp.Request; r != nil && r.URL != nil {
		u := *r.URL
		u.RawQuery, u.Fragment = "", ""
		e.Method, e.URL = r.Method, u.Redacted()
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what there is of it
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(b, &doc) == nil && len(doc.Errors) > 0 {
		e.Message = printable(doc.Errors[0].Code+": "+doc.Errors[0].Message, maxMessage)
	} else if !strings.HasPrefix(strings.TrimSpace(string(b)), "<") { // a page of HTML says nothing
		e.Message = printable(string(b), maxMessage)
	}
	return e
}

// printable makes a short line of what others say: it may end up on a terminal.
func printable(s string, limit int) string {
	var out strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = ' '
		}
		if out.Len()+4 > limit {
			out.WriteString("...")
			break
		}
		out.WriteRune(r)
	}
	return strings.TrimSpace(out.String())
}
