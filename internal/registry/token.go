package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

const maxToken = 1 << 20 // bytes of a token server's answer

// tokenAsk is what is asked of a token server, and its answer.
// Source: distribution, "Token Authentication Specification"; and its OAuth2 form for identity tokens.
type tokenAsk struct {
	ctx            context.Context
	realm, service string
	scopes         []string
	credentials    *authn.AuthConfig

	token string
}

// askToken gets a token for a registry. The server must be one that checkRealm allows, also after each redirect.
func (e *endpoint) askToken(a *tokenAsk) error {
	realm, err := url.Parse(a.realm)
	if err != nil {
		return fmt.Errorf("%w: %.200q", ErrRealm, a.realm)
	}
	if err := checkRealm(realm, e.host, e.o); err != nil {
		return err
	}
	r, err := a.request(realm)
	if err != nil {
		return err
	}
	c := http.Client{Transport: e.guard, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		r.Header.Del("Authorization") // it was for the first address
		if err := checkRealm(r.URL, e.host, e.o); err != nil {
			return err
		}
		return checkRedirect(r, via, e.reach())
	}}
	resp, err := c.Do(r)
	if err != nil {
		return redact(err)
	}
	if resp.StatusCode != http.StatusOK {
		return statusError(resp)
	}
	defer resp.Body.Close()
	return a.read(resp.Body)
}

// request is a GET with the credentials, or a POST with an identity token.
func (a *tokenAsk) request(realm *url.URL) (*http.Request, error) {
	u := *realm
	q := u.Query()
	if a.service != "" {
		q.Set("service", a.service)
	}
	method, body := http.MethodGet, ""
	if t := a.credentials.IdentityToken; t != "" {
		q = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t}, "client_id": {userAgent},
			"service": {a.service}, "scope": {strings.Join(a.scopes, " ")}}
		method, body = http.MethodPost, q.Encode()
	} else {
		for _, s := range a.scopes {
			q.Add("scope", s)
		}
		u.RawQuery = q.Encode()
	}
	r, err := http.NewRequestWithContext(a.ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", userAgent)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if h := basic(a.credentials); h != "" {
		r.Header.Set("Authorization", h)
	}
	return r, nil
}

// read takes the token from the answer.
func (a *tokenAsk) read(body io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(body, maxToken+1))
	if err != nil {
		return redact(err)
	}
	if len(b) > maxToken {
		return fmt.Errorf("%w: the answer of the token server", ErrTooLarge)
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("%w: that of the token server: %w", ErrAnswer, err)
	}
	if a.token = answer.Token; a.token == "" {
		a.token = answer.AccessToken
	}
	if a.token == "" {
		return fmt.Errorf("%w: the token server gave no token", ErrAnswer)
	}
	return nil
}
