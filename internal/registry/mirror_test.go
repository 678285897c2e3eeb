package registry

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/caisson-go/caisson/internal/store"
)

// pair is a registry and a mirror of it that has the same.
func pair(t *testing.T) (origin, mirror *fake, ref string, o Options) {
	origin, mirror = newFake(t), newFake(t)
	mirror.files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, "/v2/cache/", "/v2/", 1)
		origin.files.ServeHTTP(w, r)
	})
	ref, _ = origin.tag("repo", origin.image("repo", layerOf("file", strings.Repeat("content", 10_000))))
	o = origin.options()
	o.Insecure = append(o.Insecure, mirror.host)
	o.Mirrors = map[string][]string{origin.host: {mirror.host + "/cache"}}
	o.Breaker = &Breaker{}
	return origin, mirror, ref, o
}

func TestMirror(t *testing.T) {
	t.Parallel()
	origin, mirror, ref, o := pair(t)
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil || origin.hits.Load() != 0 || mirror.hits.Load() == 0 {
		t.Errorf("%v; %d requests to the registry", err, origin.hits.Load())
	}
	o.Mirrors[origin.host] = []string{"no mirror"}
	if _, err := Pull(t.Context(), newStore(t), ref, o); !errors.Is(err, ErrReference) {
		t.Errorf("a mirror that is none: %v", err)
	}
}

// Whatever is wrong with a mirror, the registry is asked.
func TestMirrorFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hook func(w http.ResponseWriter, r *http.Request) bool
		open bool // whether the breaker leaves it out
	}{
		"503":       {func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }, true},
		"404":       {func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(404); return true }, false},
		"401":       {func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(401); return true }, false},
		"reset":     {func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) }, true},
		"gibberish": {func(w http.ResponseWriter, r *http.Request) bool { _, _ = w.Write([]byte("hello")); return true }, true},
		"no blobs": {func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/") {
				w.WriteHeader(404)
			}
			return strings.Contains(r.URL.Path, "/blobs/")
		}, false},
		"half of the blobs": {func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/") {
				_, _ = w.Write([]byte{31, 139, 8})
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			return false
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, mirror, ref, o := pair(t)
			mirror.hook = tc.hook
			img, err := Pull(t.Context(), newStore(t), ref, o)
			if err != nil || read(t, img, "file") != strings.Repeat("content", 10_000) {
				t.Fatal(err)
			}
			if open := !o.Breaker.allow(mirror.host); open != tc.open {
				t.Errorf("left out: %v", open)
			}
		})
	}
}

// A mirror that is down costs its tries once, not in every pull.
func TestMirrorLeftOut(t *testing.T) {
	t.Parallel()
	origin, mirror, ref, o := pair(t)
	mirror.hook = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
	for i := range 3 {
		if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
			t.Fatal(err)
		}
		if n := mirror.hits.Load(); n != mirrorTries {
			t.Errorf("pull %d: %d requests to the mirror", i, n)
		}
	}
	// What is wrong on both is the registry's to say.
	origin.hook = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(403); return true }
	_, err := Pull(t.Context(), newStore(t), ref, o)
	var answer *StatusError
	if !errors.As(err, &answer) || answer.Code != 403 {
		t.Error(err)
	}
}

// T41, T48: a mirror that lies, and one that wants to know secrets.
func TestMirrorHostile(t *testing.T) {
	t.Parallel()
	origin, mirror, ref, o := pair(t)
	flip("/blobs/")(mirror)
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
		t.Errorf("other blobs: %v", err)
	}
	o.Breaker = &Breaker{}
	mirror.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the mirror was told %s", r.Header.Get("Authorization"))
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(401)
		return true
	}
	origin.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, ok := r.BasicAuth(); ok {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(401)
		return true
	}
	o.Keychain = hostKeychain{origin.host: authn.FromConfig(authn.AuthConfig{Username: "user", Password: "secret"})}
	if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
		t.Errorf("credentials: %v", err)
	}
	// By digest, a mirror that has another image under it is not believed.
	o.Breaker = &Breaker{}
	flip("/manifests/")(mirror)
	_, d := origin.tag("repo", origin.image("repo", layerOf("file", "pinned")))
	img, err := Pull(t.Context(), newStore(t), ref+"@"+d.Digest.String(), o)
	if err != nil || img.Digest != d.Digest {
		t.Errorf("pinned: %v", err)
	}
}

type hostKeychain map[string]authn.Authenticator

func (k hostKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if a, ok := k[r.RegistryStr()]; ok {
		return a, nil
	}
	return authn.Anonymous, nil
}

// A bad blob of a mirror leaves nothing behind when the registry has none that is better.
func TestMirrorBadBlob(t *testing.T) {
	origin, mirror, ref, o := pair(t)
	flip("/blobs/")(origin)
	flip("/blobs/")(mirror)
	s := used(t)
	before := listing(t, s)
	if _, err := Pull(t.Context(), s, ref, o); !errors.Is(err, store.ErrDigest) || listing(t, s) != before {
		t.Error(err)
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Breaker
		expect := func(want bool) {
			t.Helper()
			if got := b.allow("a"); got != want {
				t.Errorf("after %v: %v", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), got)
			}
		}
		expect(true)
		expect(true)
		for pause := leaveOut; pause < 4*maxLeaveOut; pause *= 2 {
			b.failed("a")
			expect(false)
			if !b.allow("b") {
				t.Error("another is left out, too")
			}
			time.Sleep(min(pause, maxLeaveOut) - 1)
			expect(false)
			time.Sleep(time.Nanosecond)
			expect(true)
			expect(false) // one tries
		}
		time.Sleep(leaveOut) // who tried has never come back
		expect(true)
		b.succeeded("a")
		expect(true)
		expect(true)
		b.failed("a")
		time.Sleep(leaveOut)
		expect(true)
	})
	// Many at once: one of them tries.
	synctest.Test(t, func(t *testing.T) {
		var b Breaker
		b.failed("a")
		time.Sleep(leaveOut)
		var mu sync.Mutex
		var wg sync.WaitGroup
		allowed := 0
		for range 100 {
			wg.Go(func() {
				if b.allow("a") {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			})
		}
		if wg.Wait(); allowed != 1 {
			t.Errorf("%d try", allowed)
		}
	})
}
