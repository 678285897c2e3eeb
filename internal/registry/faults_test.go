package registry

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/store"
)

func TestPullErrors(t *testing.T) {
	f := newFake(t)
	answer := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(code)
				return true
			}
			return false
		}
	}
	for _, tc := range []struct {
		name, ref string
		hook      func(http.ResponseWriter, *http.Request) bool
		err       error
		hint      string
	}{
		{name: "no repository", ref: f.host + "/none", err: fs.ErrNotExist, hint: "check the name"},
		{name: "401", ref: f.host + "/none", hook: answer(401), err: fs.ErrPermission, hint: "docker login " + f.host},
		{name: "403", ref: f.host + "/none", hook: answer(403), err: fs.ErrPermission, hint: "docker login"},
		{name: "bad reference", ref: "UPPER/case", err: ErrReference},
	} {
		f.hook = tc.hook
		s := newStore(t)
		_, err := Pull(t.Context(), s, tc.ref, f.options())
		var e *Error
		if !errors.Is(err, tc.err) || !errors.As(err, &e) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, serr := os.Lstat(s.Dir()); !errors.Is(serr, fs.ErrNotExist) {
			t.Errorf("%s: the store was made", tc.name)
		}
	}
}

func TestPullRetries(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ref, _ := f.tag("retry", f.image("retry", layerOf("file", "content")))
	failures := 0
	for name, hook := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"unavailable": func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"reset": func(w http.ResponseWriter, r *http.Request) bool {
			panic(http.ErrAbortHandler)
		},
	} {
		failures = 2
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if failures == 0 {
				return false
			}
			failures--
			return hook(w, r)
		}
		o := f.options()
		o.Jobs = 1 // for the counter
		_, err := Pull(t.Context(), newStore(t), ref, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A blob that breaks off in the middle is asked for again; what no repetition can mend is reported at once.
func TestPullBrokenBlob(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := f.image("retry", layerOf("file", strings.Repeat("content", 1000)))
	ref, _ := f.tag("retry", p)
	size, failures := p.manifest.Layers[0].Size, 2
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) || failures == 0 {
			return false
		}
		failures--
		w.Header().Set("Content-Length", toString(size))
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	}
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); err != nil {
		t.Errorf("broken off: %v", err)
	}
	// One of another length is not worth reading.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) {
			return false
		}
		w.Header().Set("Content-Length", toString(size+1))
		w.WriteHeader(http.StatusOK)
		return true
	}
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); !errors.Is(err, store.ErrSize) {
		t.Errorf("other length: %v", err)
	}
	// Asked to wait for an hour, it rather says so.
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	_, err := Pull(t.Context(), newStore(t), ref, f.options())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "limits requests") {
		t.Errorf("too many requests: %v", err)
	}
}

// A pull ends soon after its context, whatever it waits for, and leaves no goroutine.
func TestPullCancelled(t *testing.T) {
	for _, stalled := range []string{"/manifests/", "/blobs/", "pause", "lock"} {
		t.Run(strings.Trim(stalled, "/"), func(t *testing.T) {
			f := newFake(t)
			ref, _ := f.tag("slow", f.image("slow", layerOf("a", "a"), layerOf("b", "b")))
			s := newStore(t)
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			o := f.options()
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case stalled == "pause":
					w.Header().Set("Retry-After", "20")
					w.WriteHeader(http.StatusServiceUnavailable)
					time.AfterFunc(50*time.Millisecond, cancel)
					return true
				case strings.Contains(r.URL.Path, stalled):
					if stalled == "/blobs/" { // in the middle of the content
						w.WriteHeader(http.StatusOK)
						_, _ = w.Write([]byte("x"))
						w.(http.Flusher).Flush()
					}
					cancel()
					<-release
					return true
				}
				return false
			}
			if stalled == "lock" {
				time.AfterFunc(20*time.Millisecond, cancel)
				o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
			}
			start := time.Now()
			_, err := Pull(ctx, s, ref, o)
			took := time.Since(start)
			close(release)
			var e *Error
			if !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
				t.Errorf("err = %v", err)
			}
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if v := visible(t, s); len(v) != 0 {
				t.Errorf("visible: %v", v)
			}
			f.srv.Close() // with it end the server's goroutines
			settled(t, before)
		})
	}
}

// settled waits until there are no more goroutines than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
