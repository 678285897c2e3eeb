package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

// scene is a registry with an image of one layer, and what a fault needs to know of it.
type scene struct {
	*bubbled
	t        *testing.T
	rng      *rand.Rand
	ref      string
	content  string
	blob     []byte // the layer
	config   string // paths
	layer    string
	tag      string
	failures atomic.Int64 // that are still to come
	began    time.Time
}

// fault is a kind of misbehaviour of a registry, and what is to come of it.
type fault struct {
	name  string
	is    error // the error; nil for a pull that succeeds
	any   bool  // any typed error will do
	whole bool  // all of the layer may be sent again
	set   func(s *scene)
}

// on runs do for requests for a path, a number of times; n < 0 is always.
func (s *scene) on(path string, n int64, do func(w http.ResponseWriter, r *http.Request)) {
	s.failures.Store(n)
	s.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return false
		}
		if n >= 0 && s.failures.Add(-1) < 0 {
			return false
		}
		do(w, r)
		return true
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// part serves a range of the layer honestly, up to an offset of the blob, and then does something else.
func (s *scene) part(w http.ResponseWriter, r *http.Request, until int, then func()) {
	from := 0
	if h := r.Header.Get("Range"); h != "" {
		fmt.Sscanf(h, "bytes=%d-", &from)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.blob)-1, len(s.blob)))
		w.Header().Set("Content-Length", strconv.Itoa(len(s.blob)-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.blob)))
	}
	if until > from {
		_, _ = w.Write(s.blob[from:until])
	}
	w.(http.Flusher).Flush()
	then()
}

// breaks serves the layer with n breaks at random places.
func (s *scene) breaks(n int) {
	at := 0
	s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
		if s.failures.Add(-1); int(-s.failures.Load())-1 > n {
			s.part(w, r, len(s.blob), func() {})
			return
		}
		at += 1 + s.rng.IntN(len(s.blob)/(n+1)-1)
		s.part(w, r, at, func() { panic(http.ErrAbortHandler) })
	})
}

// once serves half of the layer and breaks off, then does something else with the request for the rest.
func (s *scene) once(second func(w http.ResponseWriter, r *http.Request)) {
	at, n := 1+s.rng.IntN(len(s.blob)-2), 0
	s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
		switch n++; {
		case n == 1:
			s.part(w, r, at, func() { panic(http.ErrAbortHandler) })
		case n == 2:
			second(w, r)
		case r.Header.Get("Range") == "":
			_, _ = w.Write(s.blob)
		default:
			s.part(w, r, len(s.blob), func() {})
		}
	})
}

// drip sends a byte each second, for ever.
func drip(b []byte, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	for i := range b {
		if _, err := w.Write(b[i : i+1]); err != nil || r.Context().Err() != nil {
			return
		}
		w.(http.Flusher).Flush()
		during(r, time.Second)
	}
}

// status answers with a code.
func status(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// changed serves what the registry has, after a change.
func (s *scene) changed(w http.ResponseWriter, r *http.Request, change func([]byte) []byte) {
	var rec recorder
	s.files.ServeHTTP(&rec, r)
	w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
	_, _ = w.Write(change(rec.body.Bytes()))
}

// lose serves all but the end of what the registry has, with its length.
func (s *scene) lose(w http.ResponseWriter, r *http.Request) {
	s.changed(w, r, func(b []byte) []byte {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		return b[:s.rng.IntN(len(b))]
	})
	panic(http.ErrAbortHandler)
}

func (s *scene) flip(w http.ResponseWriter, r *http.Request) {
	s.changed(w, r, func(b []byte) []byte {
		b[s.rng.IntN(len(b))] ^= 1 << s.rng.IntN(8)
		return b
	})
}

func silence(w http.ResponseWriter, r *http.Request) { during(r, time.Hour) }

// after fails once with a Retry-After header, and then checks that it was honoured.
func (s *scene) after(path string, seconds int, header func(int) string, code int) {
	var until time.Time
	s.on(path, -1, func(w http.ResponseWriter, r *http.Request) {
		if until.IsZero() {
			until = time.Now().Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
			status(code, "Retry-After", header(seconds))(w, r)
			return
		}
		if time.Now().Before(until) {
			s.t.Errorf("asked %v too early", time.Until(until))
		}
		s.files.ServeHTTP(w, r)
	})
}

// expires wants a token, and another one in the middle of the layer.
func (s *scene) expires() {
	good, n := "first", 0
	s.once(func(w http.ResponseWriter, r *http.Request) { s.part(w, r, len(s.blob), func() {}) })
	inner := s.hook
	s.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			n++
			fmt.Fprintf(w, `{"token":%q}`, good)
			return true
		}
		if r.Header.Get("Authorization") != "Bearer "+good {
			status(401, "WWW-Authenticate", `Bearer realm="http://`+bubbleHost+`/token",service="x"`)(w, r)
			return true
		}
		if r.URL.Path == s.layer && good == "first" {
			good = "second"
		}
		return inner(w, r)
	}
	s.t.Cleanup(func() {
		if n != 2 {
			s.t.Errorf("%d tokens were asked for", n)
		}
	})
}

// R8: whatever a registry does, the right image comes, or an error that says what it was, within the deadline; an error
// leaves the store as it was, nothing is asked more than five times, and no verified byte is fetched again.
func TestFaults(t *testing.T) {
	if n := len(faults); n < 40 {
		t.Errorf("%d kinds of faults", n)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			seeds := uint64(2)
			if os.Getenv("CAISSON_FULL") != "" {
				seeds = 20
			}
			for seed := range seeds {
				synctest.Test(t, func(t *testing.T) { f.run(t, seed) })
			}
		})
	}
}

func (f *fault) run(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 8))
	b := newBubbled(t)
	defer b.close()
	s := &scene{bubbled: b, t: t, rng: rng, content: noise(rng, 10_000+rng.IntN(200_000)), began: time.Now()}
	l := layerOf("file", s.content)
	p := b.image("repo", l)
	s.blob = gz(l)
	p.manifest.Config = b.raw("repo", "", types.OCIConfigJSON, toJSON(t, p.config))
	s.ref, _ = b.tag("repo", p)
	s.layer = "/v2/repo/blobs/" + p.manifest.Layers[0].Digest.String()
	s.config = "/v2/repo/blobs/" + p.manifest.Config.Digest.String()
	s.tag = "/v2/repo/manifests/latest"
	f.set(s)
	st := used(t)
	before := listing(t, st)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	img, err := Pull(ctx, st, s.ref, b.options())
	var typed *Error
	switch {
	case f.is == nil && !f.any:
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if layer.Supported && read(t, img, "file") != s.content {
			t.Errorf("seed %d: the file is another", seed)
		}
	case err == nil || ctx.Err() != nil || !errors.As(err, &typed) || f.is != nil && !errors.Is(err, f.is):
		t.Errorf("seed %d: %v after %v, want %v", seed, err, time.Since(s.began), f.is)
	default:
		if after := listing(t, st); after != before {
			t.Errorf("seed %d: the store has changed:\n%s\nbefore:\n%s", seed, after, before)
		}
	}
	for what, n := range b.counts() {
		// net/http repeats a request by itself when a connection that it had kept turns out to be closed.
		if n > maxTries+1 && !errors.Is(err, ErrRedirect) && !strings.Contains(what, "/token") {
			t.Errorf("seed %d: %s asked for %d times", seed, what, n)
		}
	}
	if n := b.bytes(s.layer); !f.whole && n > int64(len(s.blob))+1000 {
		t.Errorf("seed %d: %d bytes of a layer of %d were sent", seed, n, len(s.blob))
	}
}
