package registry

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// T48, T50: credentials stay with the registry, and layers come from nowhere else.
func TestPullRedirect(t *testing.T) {
	t.Parallel()
	f, elsewhere := newFake(t), newFake(t)
	ref, _ := f.tag("moved", f.image("moved", layerOf("a", "1")))
	elsewhere.files = f.files
	var authorized, foreign atomic.Int64
	elsewhere.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if foreign.Add(1); r.Header.Get("Authorization") != "" {
			authorized.Add(1)
		}
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/storage")
		return false
	}
	secret := authn.FromConfig(authn.AuthConfig{Username: "user", Password: "secret"})
	var seen atomic.Int64
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		seen.Add(1)
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, elsewhere.srv.URL+"/storage"+r.URL.Path+"?signature=topsecret", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	o := f.options()
	o.Keychain = keychain{secret}
	_, err := Pull(t.Context(), newStore(t), ref, o)
	if !errors.Is(err, ErrPlainHTTP) || foreign.Load() != 0 || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("redirect to plain HTTP elsewhere: %v, %d requests", err, foreign.Load())
	}
	o.Insecure = append(o.Insecure, elsewhere.host)
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
		t.Errorf("redirect to a listed host: %v", err)
	}
	if foreign.Load() == 0 || authorized.Load() != 0 || seen.Load() == 0 {
		t.Errorf("%d requests elsewhere, %d of them with credentials", foreign.Load(), authorized.Load())
	}
	// Round and round.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return true
	}
	if _, err := Pull(t.Context(), newStore(t), ref, o); err == nil {
		t.Error("an endless redirect came to an end")
	}
}

type keychain struct{ auth authn.Authenticator }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) { return k.auth, nil }

func TestCheckRedirect(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		ok       bool
	}{
		{"https://registry.example/", "https://storage.example/", true},
		{"https://registry.example/", "https://169.254.169.254/latest/meta-data", false},
		{"https://registry.example/", "https://[fe80::1]/", false},
		{"https://registry.example/", "https://[::ffff:10.0.0.1]/", false},
		{"https://registry.example/", "https://127.0.0.1:2375/", false},
		{"https://registry.example/", "https://localhost/", false},
		{"https://registry.example/", "https://0.0.0.0/", false},
		{"https://registry.example/", "https://192.168.1.1/", false},
		{"https://registry.example/", "https://100.64.0.1/", false},
		{"https://registry.example/", "https://[64:ff9b::169.254.169.254]/", false},
		{"https://registry.example/", "https://[2002:7f00:1::]/", false},
		{"https://registry.example/", "https://[fd00:ec2::254]/", false},
		{"https://registry.example/", "https://LOCALHOST./", false},
		{"https://registry.example/", "https://255.255.255.255/", false},
		{"https://10.0.0.1/", "https://127.0.0.1/", false},
		{"https://10.0.0.1/", "https://169.254.169.254/", false},
		{"https://8.8.8.8/", "https://1.1.1.1/", true},
		{"https://10.0.0.1/", "https://10.0.0.2/", true},
		{"https://127.0.0.1/", "https://127.0.0.1:1/", true},
		{"https://127.0.0.1/", "https://10.0.0.1/", true},
	} {
		from, err := http.NewRequest(http.MethodGet, tc.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := http.NewRequest(http.MethodGet, tc.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkRedirect(to, []*http.Request{from}, reachOfHost(from.URL.Hostname())); (err == nil) != tc.ok {
			t.Errorf("%s to %s: %v", tc.from, tc.to, err)
		}
	}
}

// T50: addresses that a manifest gives for its layers are not even looked up.
func TestPullForeignLayers(t *testing.T) {
	t.Parallel()
	f, canary := newFake(t), newFake(t)
	p := f.image("mutant", layerOf("a", "1"))
	there := p.manifest.Layers[0]
	there.URLs = []string{canary.srv.URL + "/layer", "https://" + canary.host + "/layer"}
	absent := there
	absent.MediaType = types.DockerForeignLayer
	absent.Digest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("1", 64)}
	p.manifest.Layers = []v1.Descriptor{absent}
	p.manifest.Config = f.raw("mutant", "", types.OCIConfigJSON, toJSON(t, p.config))
	b := toJSON(t, p.manifest)
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		_, _ = w.Write(b)
		return true
	}
	refused(t, f, nil)
	p.manifest.Layers = []v1.Descriptor{there}
	b = toJSON(t, p.manifest)
	if _, err := Pull(t.Context(), newStore(t), f.host+"/mutant", f.options()); err != nil {
		t.Error(err)
	}
	if n := canary.hits.Load(); n != 0 {
		t.Errorf("%d requests to the foreign address", n)
	}
}

// T51: without being told so, nothing goes over plain HTTP or unverified TLS.
func TestPullInsecure(t *testing.T) {
	t.Parallel()
	plainHTTP, bad := newFake(t), newTLSFake(t)
	for _, f := range []*fake{plainHTTP, bad} {
		f.push("image:latest", forPlatform(t, v1.Platform{OS: "linux", Architecture: "amd64"}, ""))
	}
	pull := func(f *fake, insecure ...string) error {
		o := f.options()
		o.Insecure = insecure
		_, err := Pull(t.Context(), newStore(t), f.host+"/image", o)
		return err
	}
	hits := plainHTTP.hits.Load()
	err := pull(plainHTTP, "other.example", "127.0.0.1")
	var e *Error
	if !errors.Is(err, ErrPlainHTTP) || !errors.As(err, &e) || !strings.Contains(e.Hint, plainHTTP.host) || plainHTTP.hits.Load() != hits {
		t.Errorf("plain HTTP: %v, %d requests", err, plainHTTP.hits.Load()-hits)
	}
	hits = bad.hits.Load()
	if err := pull(bad); err == nil || bad.hits.Load() != hits {
		t.Errorf("unverified TLS: %v", err)
	}
	for _, f := range []*fake{plainHTTP, bad} {
		if err := pull(f, f.host); err != nil {
			t.Errorf("listed: %v", err)
		}
	}
	o := bad.options()
	o.Insecure, o.Transport = nil, bad.srv.Client().Transport
	if _, err := Pull(t.Context(), newStore(t), bad.host+"/image", o); err != nil {
		t.Errorf("verified TLS: %v", err)
	}
}
