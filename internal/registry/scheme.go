package registry

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
)

// schemes finds out whether a registry that is listed as insecure speaks TLS. Others always do.
type schemes struct {
	next   http.RoundTripper
	host   string
	listed bool

	turn  chan struct{} // holds one value; who has it finds out
	known atomic.Int32  // one of the following
}

const (
	unknown int32 = iota
	overTLS
	overPlain
)

// plain reports a registry that is known to speak plain HTTP.
func (s *schemes) plain() bool { return s.known.Load() == overPlain }

// RoundTrip sends a request to the registry as it wants to be spoken to, and any other as it is.
func (s *schemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.listed || r.URL.Scheme != "https" || !strings.EqualFold(r.URL.Host, s.host) {
		resp, err := s.next.RoundTrip(r)
		if speaksPlain(err) {
			err = &classError{ErrPlainHTTP, err} // and nothing else is tried
		}
		return resp, err
	}
	if known := s.known.Load(); known != unknown {
		return s.send(r, known)
	}
	select {
	case <-s.turn:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	defer func() { s.turn <- struct{}{} }()
	if known := s.known.Load(); known != unknown {
		return s.send(r, known)
	}
	return s.try(r)
}

// try tries TLS first. Any answer is one.
func (s *schemes) try(r *http.Request) (*http.Response, error) {
	resp, err := s.send(r, overTLS)
	if err == nil {
		s.known.Store(overTLS)
		return resp, nil
	}
	if r.Context().Err() != nil || errors.Is(err, ErrStalled) || !repeatable(r) {
		return nil, err
	}
	if r.Body != nil && r.Body != http.NoBody {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = body
	}
	resp, perr := s.send(r, overPlain)
	switch {
	case perr == nil:
		s.known.Store(overPlain)
		return resp, nil
	case speaksPlain(err):
		return nil, perr
	}
	return nil, errors.Join(err, perr)
}

// speaksPlain reports that the answer to TLS was not TLS.
func speaksPlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

// send sends a request by one of the schemes.
func (s *schemes) send(r *http.Request, how int32) (*http.Response, error) {
	if how == overPlain {
		u := *r.URL
		u.Scheme = "http"
		r = r.WithContext(r.Context())
		r.URL = &u
	}
	return s.next.RoundTrip(r)
}
