package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	maxRedirects = 10
	userAgent    = "caisson"
)

// accepted are the documents asked for.
var accepted = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}, ", ")

// endpoint is one repository on a registry or on a mirror of it. It keeps its connections until it is closed.
type endpoint struct {
	o      *Options
	host   string // of the API: "index.docker.io" for docker.io
	repo   string // the repository's path there; "" for the registry as a whole
	mirror bool
	lacks  atomic.Bool // a mirror that said that it does not have the image

	dialer *dialer
	guard  *guard
	http   http.Client
	plain  func() bool // the registry is known to speak plain HTTP
	close  func()      // its idle connections
}

// newEndpoint connects to nobody yet. scopes are what a token for it must be good for.
func newEndpoint(host, repo string, mirror bool, scopes []string, o *Options) *endpoint {
	e := &endpoint{o: o, host: host, repo: repo, mirror: mirror, dialer: newDialer(host, o)}
	e.guard, e.close = newGuard(o, e.dialer)
	s := &schemes{next: e.guard, host: host, listed: contains(o.Insecure, host), turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	e.plain = s.plain
	a := &authorizer{next: s, host: host, plain: s.plain, resource: resource{host, repo}, scopes: scopes,
		tokens: e.askToken, o: o, turn: make(chan struct{}, 1)}
	a.turn <- struct{}{}
	e.http = http.Client{Transport: a, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		return checkRedirect(r, via, e.reach())
	}}
	return e
}

// reach is how near a redirect may lead.
func (e *endpoint) reach() reach { return e.dialer.allowed() }

// resource is what a keychain is asked for.
type resource struct{ host, repo string }

var _ authn.Resource = resource{}

// String is the repository with its registry, or the registry.
func (r resource) String() string {
	if r.repo == "" {
		return r.host
	}
	return r.host + "/" + r.repo
}

// RegistryStr is the registry.
func (r resource) RegistryStr() string { return r.host }

// url is an address of the repository's API. The transport puts in what the registry answered to.
func (e *endpoint) url(path string, query url.Values) *url.URL {
	return &url.URL{Scheme: "https", Host: e.host, Path: "/v2/" + e.repo + "/" + path, RawQuery: query.Encode()}
}

// do sends one request, once, and checks that the answer is one of those expected. The caller closes the body.
func (e *endpoint) do(ctx context.Context, r *http.Request, want ...int) (*http.Response, error) {
	r.Header.Set("User-Agent", userAgent)
	resp, err := e.http.Do(r.WithContext(ctx))
	if err != nil {
		return nil, e.asSent(redact(err))
	}
	for _, code := range want {
		if resp.StatusCode == code {
			return resp, nil
		}
	}
	return nil, statusError(resp)
}

// asSent puts the scheme into an error that the registry was in truth spoken to by.
func (e *endpoint) asSent(err error) error {
	var ue *url.Error
	if !e.plain() || !errors.As(err, &ue) {
		return err
	}
	if u, perr := url.Parse(ue.URL); perr == nil && u.Scheme == "https" && strings.EqualFold(u.Host, e.host) {
		u.Scheme = "http"
		ue.URL = u.String()
	}
	return err
}

// request is a request of the repository's API.
func (e *endpoint) request(method, path string, query url.Values, body io.Reader) (*http.Request, error) {
	return http.NewRequest(method, e.url(path, query).String(), body)
}

// manifest fetches a manifest or index, or with HEAD only what it is.
func (e *endpoint) manifest(ctx context.Context, method, id string) (*http.Response, error) {
	r, err := e.request(method, "manifests/"+id, nil, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accepted)
	return e.do(ctx, r, http.StatusOK)
}
