package changes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/testneed"
)

// descriptors counts the open files of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(d)
}

// However it ends, no file stays open, and no goroutine.
func TestNothingStaysOpen(t *testing.T) {
	testneed.UserNamespaces(t)
	s := newScene(t, true)
	s.addLower(fill(t))
	s.inside("", script)
	p := startProxy(t, oneID)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what was forgotten
	for i := range 40 {
		put(t, s.at("upper"), fmt.Sprintf("many/file%d", i), "0123456789")
	}
	errFull := errors.New("full")
	for _, o := range []changes.Opener{nil, changes.Proxied{Proxy: p}} {
		tree := s.tree()
		if o != nil {
			tree.Opener = o
		}
		for range changes.List(t.Context(), tree) { // whatever the fallback opens once
		}
		files, goroutines := descriptors(t), runtime.NumGoroutine()
		for left := range 100 {
			n := left
			for range changes.List(t.Context(), tree) {
				if n--; n < 0 {
					break
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			n = left
			_, _ = changes.Export(ctx, writerFunc(func(p []byte) (int, error) {
				if n -= 10; n < 0 {
					cancel()
				}
				return len(p), nil
			}), tree)
			cancel()
			small := tree
			small.Limits.Bytes, small.Limits.Path = int64(10*left), 300
			_, _ = changes.WriteLayer(t.Context(), io.Discard, small)
			_, err := changes.Pack(t.Context(), tree, func(_ context.Context, r io.Reader) (v1.Hash, int64, error) {
				_, _ = io.CopyN(io.Discard, r, int64(left*40))
				return v1.Hash{}, 0, errFull
			})
			if !errors.Is(err, errFull) {
				t.Errorf("%v", err)
			}
		}
		if now := descriptors(t); now > files {
			t.Errorf("%T: %d files open, %d before", o, now, files)
		}
		for tries := 0; runtime.NumGoroutine() > goroutines && tries < 100_000; tries++ {
			runtime.Gosched() // one that has said that it is done may not have ended yet
		}
		if now := runtime.NumGoroutine(); now > goroutines {
			t.Errorf("%T: %d goroutines, %d before", o, now, goroutines)
		}
		// The proxy has as many as before, too.
		d, err := os.ReadDir("/proc/" + strconv.Itoa(p.Pid()) + "/fd")
		if err == nil && len(d) > 1 {
			t.Errorf("%T: the proxy has %d files open", o, len(d))
		}
	}
}
