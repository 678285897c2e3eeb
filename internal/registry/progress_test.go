package registry

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// What is reported of a pull adds up, comes in order, one at a time, and not too often.
func TestPullProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubbled(t)
		defer b.close()
		rng := rand.New(rand.NewPCG(3, 3))
		p := b.image("repo", layerOf("a", noise(rng, 100_000)), layerOf("b", noise(rng, 20_000)))
		ref, _ := b.tag("repo", p)
		b.hook = func(w http.ResponseWriter, r *http.Request) bool { // 10 KB each second, in parts
			if !strings.HasSuffix(r.URL.Path, p.manifest.Layers[0].Digest.String()) {
				return false
			}
			var rec recorder
			b.files.ServeHTTP(&rec, r)
			for body := rec.body.Bytes(); len(body) > 0; {
				n := min(100, len(body))
				_, _ = w.Write(body[:n])
				w.(http.Flusher).Flush()
				during(r, 10*time.Millisecond)
				body = body[n:]
			}
			return true
		}
		var busy atomic.Bool
		seen := map[v1.Hash][]Progress{}
		times := map[v1.Hash][]time.Time{}
		o := b.options()
		o.Progress = func(p Progress) {
			if !busy.CompareAndSwap(false, true) {
				t.Error("two calls at once")
			}
			defer busy.Store(false)
			if p.Ref != ref+":latest" {
				t.Errorf("%+v", p)
			}
			seen[p.Digest] = append(seen[p.Digest], p)
			times[p.Digest] = append(times[p.Digest], time.Now())
		}
		s := newStore(t)
		began := time.Now()
		if _, err := Pull(t.Context(), s, ref, o); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		for i, l := range p.manifest.Layers {
			var phases []Phase
			last := Progress{}
			for _, p := range seen[l.Digest] {
				if p.Total != l.Size || p.Bytes < last.Bytes || p.Bytes > p.Total {
					t.Errorf("%+v behind %+v", p, last)
				}
				if last = p; len(phases) == 0 || phases[len(phases)-1] != p.Phase {
					phases = append(phases, p.Phase)
				}
			}
			want := []Phase{Waiting, Downloading, Unpacking, Done}
			if !layer.Supported {
				want = []Phase{Waiting, Downloading, Done}
			}
			if len(phases) != len(want) || phases[1] != want[1] || last.Phase != Done || last.Bytes != l.Size {
				t.Errorf("layer %d: %v, at last %+v", i, phases, last)
			}
			if n := len(seen[l.Digest]); n > int(took/every)+8 || i == 0 && n < 50 {
				t.Errorf("layer %d: %d reports in %v", i, n, took)
			}
		}
		// What is here is said to be here.
		clear(seen)
		o.Policy = Always
		if _, err := Pull(t.Context(), s, ref, o); err != nil {
			t.Fatal(err)
		}
		for _, l := range p.manifest.Layers {
			if got := seen[l.Digest]; len(got) != 2 || got[1].Phase != Exists {
				t.Errorf("%+v", got)
			}
		}
	})
}

// A function that takes its time holds up no transfer.
func TestProgressSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Progress
		r, stop := newReporter("ref", func(p Progress) {
			time.Sleep(time.Minute)
			got = append(got, p)
		})
		d := v1.Descriptor{Digest: other, Size: 10_000}
		began := time.Now()
		r.phase(d, Waiting)
		r.phase(d, Downloading)
		for range 10_000 {
			r.add(d.Digest, 1)
			time.Sleep(every)
		}
		r.phase(d, Done)
		if took := time.Since(began); took != 10_000*every {
			t.Errorf("the transfer took %v", took)
		}
		stop()
		if len(got) < 3 || len(got) > 25 || got[0].Phase != Waiting || got[1].Phase != Downloading ||
			got[len(got)-1] != (Progress{"ref", other, Done, 10_000, 10_000}) {
			t.Errorf("%d reports, the last %+v", len(got), got[len(got)-1])
		}
		if r, stop := newReporter("ref", nil); r != nil {
			t.Error("a reporter for nobody")
		} else {
			r.phase(d, Done)
			r.add(d.Digest, 1)
			stop()
		}
	})
}
