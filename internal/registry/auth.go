package registry

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// authorizer puts the credentials into the requests for one registry: its scheme, host and port, and no other. It asks
// for them when the registry does, so a registry that wants none is not told any, and costs no request more.
type authorizer struct {
	next     http.RoundTripper
	host     string                // of the registry
	plain    func() bool           // whether it speaks plain HTTP
	resource authn.Resource        // what the keychain is asked for
	scopes   []string              // what a token must be good for
	tokens   func(*tokenAsk) error // asks a token server

	o *Options

	turn   chan struct{} // holds one value; who has it may ask for credentials
	header string        // guarded by turn, as what follows
	found  *authn.AuthConfig
}

// RoundTrip sends a request, and again with credentials if the registry wants them.
func (a *authorizer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !a.own(r) {
		return a.next.RoundTrip(r)
	}
	used, err := a.current(r.Context())
	if err != nil {
		return nil, err
	}
	resp, err := a.next.RoundTrip(authorized(r, used))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !repeatable(r) {
		return resp, err
	}
	asked := challenges(resp.Header.Values("WWW-Authenticate"))
	fresh, err := a.renew(r.Context(), used, asked)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	if fresh == used {
		return resp, nil // there is nothing else to show
	}
	resp.Body.Close()
	again := authorized(r, fresh)
	if r.Body != nil && r.Body != http.NoBody {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return a.next.RoundTrip(again)
}

// own reports a request to the registry itself. What the client sends there goes by HTTPS, until it is known that the
// registry speaks plain HTTP only.
func (a *authorizer) own(r *http.Request) bool {
	if !strings.EqualFold(strings.TrimSuffix(r.URL.Host, ":443"), strings.TrimSuffix(a.host, ":443")) {
		return false
	}
	return r.URL.Scheme == "https" || r.URL.Scheme == "http" && a.plain()
}

// repeatable reports a request that can be sent twice.
func repeatable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

func authorized(r *http.Request, header string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	return r
}

// current is the header to be sent now.
func (a *authorizer) current(ctx context.Context) (string, error) {
	if err := a.take(ctx); err != nil {
		return "", err
	}
	defer a.give()
	return a.header, nil
}

// take waits for the turn; a mutex could not be given up when a context ends.
func (a *authorizer) take(ctx context.Context) error {
	select {
	case <-a.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *authorizer) give() { a.turn <- struct{}{} }

// renew finds what to send instead of what was refused. Of several requests that were, one asks.
func (a *authorizer) renew(ctx context.Context, refused string, asked []challenge) (string, error) {
	if err := a.take(ctx); err != nil {
		return "", err
	}
	defer a.give()
	if a.header != refused {
		return a.header, nil
	}
	for _, c := range asked {
		if c.scheme == "bearer" && c.params["realm"] != "" {
			header, err := a.bearer(ctx, c)
			if err != nil {
				return "", err
			}
			a.header = header
			return header, nil
		}
	}
	for _, c := range asked {
		if c.scheme == "basic" {
			cfg, err := a.credentials(ctx)
			if err != nil {
				return "", err
			}
			if header := basic(cfg); header != "" {
				a.header = header
			}
			return a.header, nil
		}
	}
	return refused, nil
}

// bearer gets a token.
func (a *authorizer) bearer(ctx context.Context, c challenge) (string, error) {
	cfg, err := a.credentials(ctx)
	if err != nil {
		return "", err
	}
	if cfg.RegistryToken != "" {
		return "Bearer " + cfg.RegistryToken, nil
	}
	ask := tokenAsk{ctx: ctx, realm: c.params["realm"], service: c.params["service"],
		scopes: a.scopes, credentials: cfg}
	if s := c.params["scope"]; s != "" {
		ask.scopes = union(a.scopes, strings.Fields(s))
	}
	if err := a.tokens(&ask); err != nil {
		return "", err
	}
	return "Bearer " + ask.token, nil
}

// union adds what is not there yet, up to a bound: the registry says what is added.
func union(own, more []string) []string {
	out := append([]string(nil), own...)
	for _, s := range more {
		if !contains(out, s) && len(out) < len(own)+maxChallenges {
			out = append(out, s)
		}
	}
	return out
}
