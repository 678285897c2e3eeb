package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

func TestNewRefusesHosts(t *testing.T) {
	s := must[*store.Store](t)(store.Open(t.TempDir()))
	for _, host := range []string{"a", "a/b", "A B", "..", "x.y/"} {
		if _, err := New(s, Options{Host: host}); !errors.Is(err, registry.ErrReference) {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestUploadsAreBounded(t *testing.T) {
	s := newServer(t, Options{Push: true, Uploads: 2, UploadBytes: 10})
	var at string
	for range 2 {
		at = s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "").Header.Get("Location")
	}
	s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusTooManyRequests, tooManyRequests)
	s.expect(s.do("PATCH", at, "0123456789"), http.StatusAccepted, "")
	s.expect(s.do("PATCH", at, "x"), http.StatusRequestEntityTooLarge, sizeInvalid)
	s.expect(s.do("GET", at, ""), http.StatusNotFound, uploadUnknown)
	at = s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "").Header.Get("Location")
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "PATCH", s.http.URL+at, io.NopCloser(strings.NewReader("0123456789x"))))
	resp := must[*http.Response](t)(s.http.Client().Do(req)) // without a length
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", resp.StatusCode)
	}
}

// Close ends an upload that is being sent, and refuses others.
func TestCloseEndsUploads(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	idle := s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "").Header.Get("Location")
	at := s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "").Header.Get("Location")
	body, stuck := io.Pipe()
	defer stuck.Close()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "PATCH", s.http.URL+at, body))
	ended := make(chan error, 1)
	go func() {
		resp, err := s.http.Client().Do(req)
		if err == nil {
			resp.Body.Close()
			err = fmt.Errorf("%d", resp.StatusCode)
		}
		ended <- err
	}()
	if _, err := stuck.Write(make([]byte, 1<<20)); err != nil { // more than what is read at once: the request is being served
		t.Fatal(err)
	}
	if err := s.h.Close(); err != nil {
		t.Fatal(err)
	}
	stuck.Close()
	<-ended
	for _, path := range []string{at, idle} {
		s.expect(s.do("GET", path, ""), http.StatusServiceUnavailable, "")
	}
	s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusServiceUnavailable, "")
	s.expect(s.do("GET", "/v2/", ""), http.StatusOK, "")
	if left, _ := os.ReadDir(filepath.Join(s.s.Dir(), "staging")); len(left) != 0 {
		t.Errorf("%d things left in staging", len(left))
	}
}

// An upload can be continued after its connection broke.
func TestUploadContinues(t *testing.T) {
	s := newServer(t, Options{Push: true})
	at := s.expect(s.do("POST", "/v2/a/b/blobs/uploads/", ""), http.StatusAccepted, "").Header.Get("Location")
	conn := must[net.Conn](t)((&net.Dialer{}).DialContext(t.Context(), "tcp", s.host))
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234", at)
	conn.(*net.TCPConn).CloseWrite()
	_, _ = io.ReadAll(conn) // until it is answered
	conn.Close()
	r := s.expect(s.do("GET", at, ""), http.StatusNoContent, "")
	if r.Header.Get("Range") != "0-4" {
		t.Errorf("%v", r.Header)
	}
	s.expect(s.do("PUT", at+"?digest="+digestOf(t, "0123456789"), "56789", "Content-Range", "5-9"), http.StatusCreated, "")
}

func TestIdleUploadsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := must[*store.Store](t)(store.Open(filepath.Join(dir, "state")))
		us := uploads{limit: 5, idle: time.Minute, open: map[string]*upload{}}
		up, err := us.begin(t.Context(), s, "a/b", func() {})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // in use it stays
		us.give(up, false)
		time.Sleep(59 * time.Second)
		if _, a := us.take(up.id, "a/b", func() {}); a != nil {
			t.Fatal(a)
		}
		if _, a := us.take(up.id, "a/b", func() {}); a == nil || a.status != http.StatusConflict {
			t.Errorf("taken twice: %v", a)
		}
		us.give(up, false)
		time.Sleep(59 * time.Second)
		us.mu.Lock()
		if len(us.open) != 1 {
			t.Error("it ended early")
		}
		us.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, a := us.take(up.id, "a/b", func() {}); a == nil || a.code != uploadUnknown {
			t.Errorf("it is still there: %v", a)
		}
		us.close()
	})
	if left, _ := os.ReadDir(filepath.Join(dir, "state", "staging")); len(left) != 0 {
		t.Errorf("%d things left in staging", len(left))
	}
}

func TestLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, ended := 0, 0
		l := lease{idle: time.Minute, begin: func(context.Context) (func(), error) { begun++; return func() { ended++ }, nil }}
		enter := func() func() {
			leave, err := l.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		expect := func(b, e int) {
			t.Helper()
			l.mu.Lock()
			defer l.mu.Unlock()
			if begun != b || ended != e {
				t.Errorf("begun %d, ended %d; want %d, %d", begun, ended, b, e)
			}
		}
		h := v1.Hash{Algorithm: "sha256", Hex: "x"}
		leave, other := enter(), enter()
		l.grant("a", h)
		leave()
		time.Sleep(time.Hour)
		expect(1, 0)
		other()
		time.Sleep(59 * time.Second)
		enter()()
		time.Sleep(59 * time.Second)
		expect(1, 0)
		if !l.granted("a", h) || l.granted("b", h) {
			t.Error("grants")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expect(1, 1)
		if l.granted("a", h) {
			t.Error("a grant is left")
		}
		leave = enter()
		l.close()
		expect(2, 1)
		leave()
		expect(2, 2)
		if _, err := l.enter(t.Context()); err == nil {
			t.Error("entered after close")
		}
	})
}
