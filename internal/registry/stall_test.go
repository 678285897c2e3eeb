package registry

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caisson-go/caisson/internal/store"
)

// T52: answers of which nothing more comes, before their header and within their body, by our transport and by a
// caller's that has no bounds of its own. Requests are repeated a few times at most.
func TestPullStalls(t *testing.T) {
	for _, c := range []struct {
		at   string
		body bool
	}{{"/manifests/", false}, {"/manifests/", true}, {"/blobs/", false}, {"/blobs/", true}} {
		for name, transport := range map[string]http.RoundTripper{"ours": nil, "a caller's": &http.Transport{}} {
			t.Run(strings.Trim(c.at, "/")+map[bool]string{true: " body ", false: " header "}[c.body]+name, func(t *testing.T) {
				f := newFake(t)
				ref, _ := f.tag("stall", f.image("stall", layerOf("a", "a")))
				s := newStore(t)
				before := runtime.NumGoroutine()
				o := f.options()
				o.pace.idle, o.Transport = 20*time.Millisecond, transport
				var asked atomic.Int64
				release := make(chan struct{})
				f.hook = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.Contains(r.URL.Path, c.at) {
						return false
					}
					asked.Add(1)
					if c.body {
						_, _ = w.Write([]byte("x"))
						w.(http.Flusher).Flush()
					}
					<-release
					return true
				}
				_, err := Pull(t.Context(), s, ref, o)
				close(release)
				var e *Error
				if !errors.Is(err, ErrStalled) || !errors.As(err, &e) || !strings.Contains(e.Hint, f.host) {
					t.Errorf("err = %v", err)
				}
				if n := asked.Load(); n > maxTries {
					t.Errorf("asked %d times", n)
				}
				if v := visible(t, s); len(v) != 0 {
					t.Errorf("visible: %v", v)
				}
				f.srv.Close()
				if t, ok := transport.(*http.Transport); ok {
					t.CloseIdleConnections()
				}
				settled(t, before)
			})
		}
	}
}

// Nothing but silence is a stall: what comes slowly comes.
func TestPullSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubbled(t)
		defer b.close()
		p := b.image("slow", layerOf("a", "a"))
		ref, _ := b.tag("slow", p)
		blob := gz(layerOf("a", "a"))
		b.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) {
				return false
			}
			const parts = 5
			for i := range parts {
				_, _ = w.Write(blob[i*len(blob)/parts : (i+1)*len(blob)/parts])
				w.(http.Flusher).Flush()
				during(r, 300*time.Millisecond)
			}
			return true
		}
		o := b.options()
		o.pace.idle = time.Second
		if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
			t.Error(err)
		}
	})
}

// A manifest that promises more than any disk has is refused before anything of it is fetched.
func TestPullDeclaredSizes(t *testing.T) {
	for _, size := range []int64{1 << 60, store.MaxBlob + 1} {
		f := newFake(t)
		p := f.image("huge", layerOf("a", "a"))
		p.manifest.Layers[0].Size = size
		ref, _ := f.tag("huge", p)
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/") {
				t.Errorf("%s was asked for", r.URL)
			}
			return false
		}
		s := newStore(t)
		_, err := Pull(t.Context(), s, ref, f.options())
		var e *Error
		if !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), p.manifest.Layers[0].Digest.String()) {
			t.Errorf("size %d: %v", size, err)
		}
		if v := visible(t, s); len(v) != 0 {
			t.Errorf("visible: %v", v)
		}
	}
}

// No more is read of a blob than its descriptor says, and a byte that shows that it goes on.
func TestPullReadsWhatIsDeclared(t *testing.T) {
	f := newFake(t)
	p := f.image("longer", layerOf("a", strings.Repeat("a", 1000)))
	ref, _ := f.tag("longer", p)
	var sent atomic.Int64
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) {
			return false
		}
		for b := make([]byte, 64<<10); ; {
			n, err := w.Write(b)
			sent.Add(int64(n))
			if err != nil {
				return true
			}
		}
	}
	if _, err := Pull(t.Context(), newStore(t), ref, f.options()); !errors.Is(err, store.ErrSize) {
		t.Error(err)
	}
	f.srv.Close() // the handler has ended
	if n := sent.Load(); n > 32<<20 {
		t.Errorf("%d bytes were sent; the sockets' buffers take some", n)
	}
}
