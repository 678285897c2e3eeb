package registry

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// A large blob over a poor line may break off more often than a thing may be tried, as long as it gets on; and not for
// ever if it does not.
func TestResumeGetsOn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		part int // bytes that each answer brings
		ok   bool
	}{{"much each time", worthwhile + 1000, true}, {"little each time", worthwhile / 2, false}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubbled(t)
				defer b.close()
				blob := bytes.Repeat([]byte("some content "), 7*worthwhile/13)
				h, n, _ := v1.SHA256(bytes.NewReader(blob))
				d := v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: h, Size: n}
				b.hook = func(w http.ResponseWriter, r *http.Request) bool {
					from := 0
					fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, n-1, n))
					w.Header().Set("Content-Length", toString(n-int64(from)))
					w.WriteHeader(map[bool]int{true: 206, false: 200}[from > 0])
					_, _ = w.Write(blob[from:min(from+tc.part, len(blob))])
					if from+tc.part < len(blob) {
						panic(http.ErrAbortHandler)
					}
					return true
				}
				o := b.options().withDefaults()
				r, err := Parse(bubbleHost + "/repo")
				if err != nil {
					t.Fatal(err)
				}
				c := newClient(r, &o)
				seen := int64(0)
				body, err := c.blob(t.Context(), d, true, func(n int) { seen += int64(n) })
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				if ok := err == nil && bytes.Equal(got, blob) && seen == n; ok != tc.ok {
					t.Errorf("%d of %d bytes, %d seen: %v", len(got), n, seen, err)
				}
			})
		})
	}
}

// One of many that want the same image fetches it; here each has a store of its own on one directory, as processes do.
func TestOneFetch(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	rng := rand.New(rand.NewPCG(5, 5))
	p := f.image("repo", layerOf("a", noise(rng, 200_000)), layerOf("b", noise(rng, 200_000)))
	ref, _ := f.tag("repo", p)
	var fetched sync.Map
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			n, _ := fetched.LoadOrStore(r.URL.Path, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		}
		return false
	}
	dir := newStore(t).Dir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := store.Open(dir)
			if err == nil {
				_, err = Pull(t.Context(), s, ref, f.options())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, l := range p.manifest.Layers {
		n, ok := fetched.Load("/v2/repo/blobs/" + l.Digest.String())
		if !ok || n.(*atomic.Int64).Load() != 1 {
			t.Errorf("%s was fetched %v times", l.Digest, n)
		}
	}
}

// The largest layer is among the first to be fetched wherever it stands, and no more are fetched at once than allowed.
func TestLayersLargestFirst(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	rng := rand.New(rand.NewPCG(6, 6))
	var layers [][]byte
	for i := range 8 {
		layers = append(layers, layerOf("file", noise(rng, 1000+i*100)))
	}
	p := f.image("repo", layers...)
	p.manifest.Config = f.raw("repo", "", types.OCIConfigJSON, toJSON(t, p.config))
	ref, _ := f.tag("repo", p)
	largest := p.manifest.Layers[7].Digest.String()
	var mu sync.Mutex
	var order []string
	var busy, most int
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") || strings.HasSuffix(r.URL.Path, p.manifest.Config.Digest.String()) {
			return false
		}
		mu.Lock()
		order = append(order, r.URL.Path)
		busy++
		most = max(most, busy)
		mu.Unlock()
		f.files.ServeHTTP(w, r)
		mu.Lock()
		busy--
		mu.Unlock()
		return true
	}
	for jobs := 1; jobs <= 3; jobs++ {
		order, most = nil, 0
		o := f.options()
		o.Jobs = jobs
		if _, err := Pull(t.Context(), newStore(t), ref, o); err != nil {
			t.Fatal(err)
		}
		if len(order) != len(layers) || most > jobs || jobs == 1 && !strings.HasSuffix(order[0], largest) {
			t.Errorf("%d jobs: %d at once, %d requests, first %s", jobs, most, len(order), order[0])
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, " 7": 0, "99999999999999999999999": longest, "9223372036854775807": longest,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		"Friday, 02-Jan-26 03:04:15 GMT":                  10 * time.Second,
		"Fri Jan  2 03:04:15 2026":                        10 * time.Second,
		"Fri, 02 Jan 9999 03:04:15 GMT":                   longest,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// The pauses grow, differ, and are never shorter than what the registry asks for.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		differ := map[time.Duration]bool{}
		for range 20 {
			tr := start(maxTries, time.Second)
			for i := range maxTries {
				began := time.Now()
				err := tr.again(t.Context(), io.ErrUnexpectedEOF)
				took := time.Since(began)
				if last := i == maxTries-1; last != (err != nil) {
					t.Fatalf("try %d: %v", i, err)
				}
				if pause := time.Second << i; err == nil && (took < pause/2 || took > pause) {
					t.Errorf("pause %d: %v", i, took)
				}
				differ[took] = true
			}
		}
		if len(differ) < 50 {
			t.Errorf("%d different pauses of 80", len(differ))
		}
		for seconds := range 60 {
			tr := start(2, time.Millisecond)
			began, asked := time.Now(), time.Duration(seconds)*time.Second
			if err := tr.again(t.Context(), &StatusError{Code: 503, RetryAfter: asked}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < asked || took > asked+asked/10+time.Second {
				t.Errorf("asked for %v, took %v", asked, took)
			}
		}
		tr := start(2, time.Millisecond)
		if err := tr.again(t.Context(), &StatusError{Code: 503, RetryAfter: math.MaxInt64}); err == nil {
			t.Error("waited for ever")
		}
		if err := tr.again(t.Context(), &StatusError{Code: 404}); err == nil {
			t.Error("404 passes")
		}
	})
}
