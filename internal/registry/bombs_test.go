package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testneed"
)

// T52: answers without an end.
func TestPullEndlessAnswers(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{
		"manifest": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") },
		"blob":     func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") },
	} {
		for _, code := range []int{200, 404} {
			t.Run(fmt.Sprint(name, code), func(t *testing.T) {
				f := newFake(t)
				ref, _ := f.tag("endless", f.image("endless", layerOf("a", "1")))
				f.hook = func(w http.ResponseWriter, r *http.Request) bool {
					if !match(r) {
						return false
					}
					w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
					w.WriteHeader(code)
					junk := bytes.Repeat([]byte(`{"a":`), 10000)
					for { // until the client goes away
						if _, err := w.Write(junk); err != nil {
							return true
						}
					}
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				_, err := Pull(t.Context(), newStore(t), ref, f.options())
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Error("no error")
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
					t.Errorf("the heap grew by %d MiB", grown>>20)
				}
			})
		}
	}
}

// T39: what a small blob may become is bounded.
func TestPullBombs(t *testing.T) {
	if !layer.Supported {
		t.Skip("needs to unpack layers (remedy: run on Linux)")
	}
	f := newFake(t)
	huge := layerOf("zeros", strings.Repeat("\x00", 32<<20))
	for name, mt := range map[string]types.MediaType{"gzip": types.OCILayer, "zstd": types.OCILayerZStd} {
		p := f.image("bomb", huge)
		blob := gz(huge)
		if mt == types.OCILayerZStd {
			blob = zst(huge)
		}
		p.manifest.Layers[0] = f.raw("bomb", "", mt, blob)
		ref, _ := f.tag("bomb", p)
		o := f.options()
		l := layer.Defaults()
		l.Limits.Bytes = 1 << 20
		o.Layer = &l
		s := newStore(t)
		_, err := Pull(t.Context(), s, ref, o)
		var limit *layer.LimitError
		if !errors.As(err, &limit) || len(visible(t, s)) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A zstd frame with a window of 2 GiB: magic number, no sizes, exponent 21 over 2^10.
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}
	p := f.image("bomb", huge)
	p.manifest.Layers[0] = f.raw("bomb", "", types.OCILayerZStd, window)
	ref, _ := f.tag("bomb", p)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Pull(t.Context(), newStore(t), ref, f.options())
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); err == nil || grown > 64<<20 {
		t.Errorf("window: %v, heap grew by %d", err, grown)
	}
}

func TestDecompressRatio(t *testing.T) {
	z := &unpacked{r: zeros{}, in: &counter{n: 1000}, blob: io.NopCloser(nil)}
	n, err := io.Copy(io.Discard, z)
	if !errors.Is(err, ErrTooLarge) || n < freeGrowth || n > freeGrowth+1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type zeros struct{}

// T39: layers that are each within their bounds must not fill the disk together.
func TestPullUnpackedTogether(t *testing.T) {
	t.Parallel()
	if !layer.Supported {
		t.Skip("needs to unpack layers (remedy: run on Linux)")
	}
	f := newFake(t)
	content := strings.Repeat("a", 100_000)
	ref, _ := f.tag("many", f.image("many", layerOf("a", content), layerOf("b", content), layerOf("c", content)))
	o := f.options()
	o.unpacked = 250_000
	s := newStore(t)
	if _, err := Pull(t.Context(), s, ref, o); !errors.Is(err, ErrTooLarge) {
		t.Errorf("three layers of 100 kB where 250 kB are allowed: %v", err)
	}
	o.unpacked = 400_000
	if _, err := Pull(t.Context(), s, ref, o); err != nil {
		t.Errorf("and where 400 kB are: %v", err)
	}
}

// T39: 4 GiB of zeros in 4 MiB, which every member of the stream is honest about.
func TestDecompressBomb(t *testing.T) {
	member := gz(make([]byte, 64<<20))
	bomb := bytes.Repeat(member, 64)
	rc, err := decompress(gzipped, io.NopCloser(bytes.NewReader(bomb)))
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	n, err := io.Copy(io.Discard, rc)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) || n > freeGrowth+1<<20 {
		t.Errorf("%d bytes from %d: %v", n, len(bomb), err)
	}
	if limit := testneed.Patience(10 * time.Second); took > limit {
		t.Errorf("took %v, want less than %v", took, limit)
	}
	if held := int64(after.TotalAlloc) - int64(before.TotalAlloc); held > 4<<20 {
		t.Errorf("%d bytes were allocated", held)
	}
}
