package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// pipes is a network without a kernel, so that the time of a synctest bubble passes while everybody waits.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubbled is a registry on pipes, to be used and closed within a bubble.
type bubbled struct {
	*fake
	net       *pipes
	http      *http.Server
	transport *http.Transport

	mu   sync.Mutex
	sent map[string]int64 // bytes of bodies by path
	asks map[string]int   // requests by method and path
}

const bubbleHost = "registry.test:5000"

func newBubbled(t *testing.T) *bubbled {
	b := &bubbled{fake: unstarted(t), net: &pipes{conns: make(chan net.Conn), done: make(chan struct{})},
		sent: map[string]int64{}, asks: map[string]int{}}
	b.host = bubbleHost
	b.http = &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asks[r.Method+" "+r.URL.Path]++
		b.mu.Unlock()
		w = &counted{w, b, r.URL.Path}
		if b.hook == nil || !b.hook(w, r) {
			b.files.ServeHTTP(w, r)
		}
	})}
	go b.http.Serve(b.net)
	b.transport = &http.Transport{DialContext: b.net.dial}
	return b
}

func (b *bubbled) close() {
	b.transport.CloseIdleConnections()
	b.http.Close()
}

func (b *bubbled) counts() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.asks)
}

func (b *bubbled) bytes(path string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[path]
}

// options are those of everyday life, but for the credentials.
func (b *bubbled) options() Options {
	return Options{Insecure: []string{bubbleHost}, Keychain: authn.NewMultiKeychain(), Transport: b.transport,
		Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}
}

// counted counts what is sent.
type counted struct {
	http.ResponseWriter
	b    *bubbled
	path string
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.b.mu.Lock()
	c.b.sent[c.path] += int64(n)
	c.b.mu.Unlock()
	return n, err
}
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
func (c *counted) Flush()                      { _ = http.NewResponseController(c.ResponseWriter).Flush() }

// noise is content that does not shrink.
func noise(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

// listing is everything in a store: names, modes, sizes and digests. Lock files are left out, which are never removed.
func listing(t testing.TB, s *store.Store) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "locks" {
			return fs.SkipDir
		}
		sum := ""
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h := sha256.Sum256(b)
			sum = hex.EncodeToString(h[:8])
		}
		fmt.Fprintln(&out, d.Type(), strings.TrimPrefix(path, s.Dir()), sum)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// inMemory is a directory for stores of which there are many: where there is memory in the shape of one, nobody waits
// for a disk.
func inMemory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "registry-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// used is a store that has been written to.
func used(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(inMemory(t), "state"))
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("something")
	h, n, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutBlob(t.Context(), h, n, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return s
}

// during waits in the time of the bubble, or until the client goes away.
func during(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
