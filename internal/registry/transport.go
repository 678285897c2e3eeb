package registry

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caisson-go/caisson/internal/flow"
	"github.com/caisson-go/caisson/internal/store"
)

// guard is the transport below the registry client. It refuses plain HTTP to hosts that are not listed, also after a
// redirect and in the client's own trials, bounds every answer that is not a blob, and gives up on one that stalls.
type guard struct {
	secure, insecure http.RoundTripper
	hosts            []string // the insecure ones
	pace             pace
}

// newGuard returns the guard of one registry, and what closes its idle connections.
func newGuard(o *Options, d *dialer) (*guard, func()) {
	if o.Transport != nil {
		return &guard{o.Transport, o.Transport, o.Insecure, o.pace}, func() {}
	}
	secure := newTransport(o.pace, d)
	insecure := newTransport(o.pace, d)
	insecure.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // for the hosts that the caller lists, only
	return &guard{secure, insecure, o.Insecure, o.pace}, func() {
		secure.CloseIdleConnections()
		insecure.CloseIdleConnections()
	}
}

// newTransport has a bound on every wait but that for the content itself, which is the guard's.
func newTransport(p pace, d *dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  d.proxy,
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  2 * p.idle, // a registry that stands before another fetches first
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // digests are of the bytes as sent
	}
}

// RoundTrip sends one request.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	listed := contains(g.hosts, r.URL.Host)
	if r.URL.Scheme != "https" && !listed {
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, r.URL.Host)
	}
	next := g.secure
	if listed {
		next = g.insecure
	}
	resp, err := unlessStalled(next, r, g.pace)
	if err != nil {
		return nil, err
	}
	if !isBlob(r) {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{flow.AtMost(resp.Body, store.MaxDocument, ErrTooLarge), resp.Body}
	}
	return resp, nil
}

// contains reports whether a list of hosts has one; the case of names does not matter.
func contains(hosts []string, host string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// isBlob reports a request for a blob, which the store bounds by its descriptor. After a redirect it is the first
// request that tells: storage behind a registry has paths of its own.
func isBlob(r *http.Request) bool {
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
	}
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v2/") && strings.Contains(r.URL.Path, "/blobs/sha256:")
}
