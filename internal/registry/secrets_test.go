package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

// canary is a server that nobody is to connect to.
type canary struct {
	*httptest.Server
	conns   atomic.Int64
	secrets atomic.Int64
}

func newCanary(t *testing.T, address string) *canary {
	c := &canary{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String(), "secret") {
			c.secrets.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skipf("needs %s (remedy: run where all of 127.0.0.0/8 is this machine): %v", address, err)
		}
		c.Listener.Close()
		c.Listener = l
	}
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.conns.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

func (c *canary) host() string { return strings.TrimPrefix(c.URL, "http://") }

func secret() authn.Keychain {
	return keychain{authn.FromConfig(authn.AuthConfig{Username: "user", Password: "secret"})}
}

// wantsBasic makes a registry want credentials, and then do something else.
func wantsBasic(next func(w http.ResponseWriter, r *http.Request) bool) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return next != nil && next(w, r)
	}
}

// T48: of whatever kind the redirect is, and whatever is said there, another host, port or scheme is told nothing.
func TestCredentialsStay(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, part := range []string{"/manifests/", "/blobs/"} {
			t.Run(fmt.Sprint(code, part), func(t *testing.T) {
				f, c := newFake(t), newCanary(t, "")
				ref, _ := f.tag("repo", f.image("repo", layerOf("a", "1")))
				f.hook = wantsBasic(func(w http.ResponseWriter, r *http.Request) bool {
					if strings.Contains(r.URL.Path, part) {
						http.Redirect(w, r, c.URL+r.URL.Path, code)
						return true
					}
					return false
				})
				o := f.options()
				o.Insecure = append(o.Insecure, c.host()) // so that it can be asked at all
				o.Keychain = secret()
				_, err := Pull(t.Context(), newStore(t), ref, o)
				if !errors.Is(err, fs.ErrPermission) || c.conns.Load() == 0 || c.secrets.Load() != 0 {
					t.Errorf("%v; %d secrets", err, c.secrets.Load())
				}
			})
		}
	}
}

func TestAuthorizerOwn(t *testing.T) {
	for _, tc := range []struct {
		url        string
		plain, own bool
	}{
		{"https://r.example:5000/v2/", false, true},
		{"https://R.EXAMPLE:5000/v2/", false, true},
		{"http://r.example:5000/v2/", true, true},
		{"http://r.example:5000/v2/", false, false},
		{"https://r.example/v2/", false, false},
		{"https://r.example:443/v2/", false, false},
		{"https://x.r.example:5000/v2/", false, false},
		{"https://example:5000/", false, false},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		a := authorizer{host: "r.example:5000", plain: func() bool { return tc.plain }}
		if got := a.own(&http.Request{URL: u}); got != tc.own {
			t.Errorf("%s, plain %v: %v", tc.url, tc.plain, got)
		}
	}
}

// T49: a realm elsewhere is not connected to; the registry's own and one that the caller allows are.
func TestPullRealm(t *testing.T) {
	t.Parallel()
	f, c := newFake(t), newCanary(t, "")
	ref, _ := f.tag("repo", f.image("repo", layerOf("a", "1")))
	var asked atomic.Int64
	tokens := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if u, p, _ := r.BasicAuth(); u != "user" || p != "secret" || r.FormValue("service") != "the service" ||
			!reflect.DeepEqual(r.Form["scope"], []string{"repository:repo:pull", "more"}) {
			t.Errorf("token for %s", r.URL)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "good"})
	})
	server := httptest.NewServer(tokens)
	defer server.Close()
	realm := ""
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			tokens(w, r)
		case r.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`", service="the service",scope="repository:repo:pull more"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			return false
		}
		return true
	}
	o := f.options()
	o.Keychain = secret()
	o.Insecure = append(o.Insecure, c.host(), strings.TrimPrefix(server.URL, "http://"))
	for _, realm = range []string{c.URL + "/token", "https://" + c.host() + "/token", "http://169.254.169.254/token", "http://user:pw@" + f.host + "/token"} {
		if _, err := Pull(t.Context(), newStore(t), ref, o); !errors.Is(err, ErrRealm) || c.conns.Load() != 0 {
			t.Errorf("%s: %v, %d connections", realm, err, c.conns.Load())
		}
	}
	realm = f.srv.URL + "/token"
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil || asked.Load() != 1 {
		t.Errorf("the registry's own: %v, asked %d times", err, asked.Load())
	}
	realm = server.URL + "/token"
	if _, err := Pull(t.Context(), newStore(t), ref, o); !errors.Is(err, ErrRealm) || asked.Load() != 1 {
		t.Errorf("not listed: %v", err)
	}
	o.TokenHosts = []string{strings.TrimPrefix(server.URL, "http://")}
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil || asked.Load() != 2 {
		t.Errorf("listed: %v, asked %d times", err, asked.Load())
	}
	// The token server of the registry sends the client elsewhere.
	realm = f.srv.URL + "/token"
	inner := f.hook
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return inner(w, r)
		}
		http.Redirect(w, r, c.URL+"/secret", http.StatusTemporaryRedirect)
		return true
	}
	if _, err := Pull(t.Context(), newStore(t), ref, o); !errors.Is(err, ErrRealm) || c.conns.Load() != 0 {
		t.Errorf("redirected: %v", err)
	}
}

// An identity token is exchanged by POST, a registry token is sent as it is.
func TestPullTokens(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ref, _ := f.tag("repo", f.image("repo", layerOf("a", "1")))
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			if r.Method != http.MethodPost || r.FormValue("refresh_token") != "identity" || r.FormValue("grant_type") != "refresh_token" ||
				r.FormValue("scope") != "repository:repo:pull" || r.Header.Get("Authorization") != "" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Form)
			}
			fmt.Fprint(w, `{"access_token":"good"}`)
		case r.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+f.srv.URL+`/token",service=x`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			return false
		}
		return true
	}
	for _, cfg := range []authn.AuthConfig{{IdentityToken: "identity"}, {RegistryToken: "good"}} {
		o := f.options()
		o.Keychain = keychain{authn.FromConfig(cfg)}
		if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	o := f.options()
	o.Keychain = brokenKeychain{}
	if _, err := Pull(t.Context(), newStore(t), ref, o); !errors.Is(err, errKeychain) {
		t.Errorf("a keychain that fails: %v", err)
	}
}

var errKeychain = errors.New("no helper")

type brokenKeychain struct{}

func (brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) { return nil, errKeychain }

// T52: token servers whose answers do not end, or say nothing.
func TestPullTokenAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		is     error
	}{
		"endless": {func(w http.ResponseWriter) {
			for _, err := w.Write([]byte(`{"a":"`)); err == nil; _, err = w.Write(make([]byte, 1<<16)) {
			}
		}, ErrTooLarge},
		"refused": {func(w http.ResponseWriter) { w.WriteHeader(403) }, fs.ErrPermission},
		"empty":   {func(w http.ResponseWriter) { fmt.Fprint(w, `{}`) }, ErrAnswer},
		"no JSON": {func(w http.ResponseWriter) { fmt.Fprint(w, `<html>`) }, ErrAnswer},
		"header":  {func(w http.ResponseWriter) { fmt.Fprint(w, `{"token":"a\r\nX: y"}`) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					tc.answer(w)
					return true
				}
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+f.srv.URL+`/token"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			_, err := Pull(t.Context(), newStore(t), f.host+"/repo", f.options())
			var e *Error
			if !errors.As(err, &e) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Error(err)
			}
		})
	}
}

func TestChallenges(t *testing.T) {
	p := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, tc := range []struct {
		in   []string
		want []challenge
	}{
		{[]string{`Basic realm="x"`}, []challenge{{"basic", p("realm", "x")}}},
		{[]string{`Bearer realm="https://a/t",service="s,t" , scope="a b"`}, []challenge{{"bearer", p("realm", "https://a/t", "service", "s,t", "scope", "a b")}}},
		{[]string{`bearer REALM=x`, `Basic`}, []challenge{{"bearer", p("realm", "x")}, {"basic", p()}}},
		{[]string{`Negotiate, Basic realm="a\"b"`}, []challenge{{"negotiate", p()}, {"basic", p("realm", `a"b`)}}},
		{[]string{`Bearer realm="a", realm="b"`}, []challenge{{"bearer", p("realm", "a")}}},
		{[]string{`Basic realm="open`}, []challenge{{"basic", p()}}},
		{[]string{``, `"`, `=`, `,,,`}, nil},
	} {
		if got := challenges(tc.in); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: %+v", tc.in, got)
		}
	}
	if n := len(challenges([]string{strings.Repeat("Basic, ", 1000)})); n != maxChallenges {
		t.Errorf("%d challenges", n)
	}
}
