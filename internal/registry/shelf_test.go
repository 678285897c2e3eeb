package registry

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// shelf is a registry by the specification: its repositories share nothing unless a blob is mounted, uploads are
// sessions, in parts or at once.
type shelf struct {
	*fake
	mu       sync.Mutex
	blobs    map[string][]byte // by repository@digest
	docs     map[string][]byte // by repository:tag or repository@digest
	types    map[string]string
	sessions map[string]*bytes.Buffer
	log      []string
	fault    func(w http.ResponseWriter, r *http.Request) bool // sees every request first
	largest  int64                                             // that a request may bring; 0 is any
}

func newShelf(t testing.TB) *shelf {
	s := &shelf{fake: newFake(t), blobs: map[string][]byte{}, docs: map[string][]byte{}, types: map[string]string{}, sessions: map[string]*bytes.Buffer{}}
	s.hook = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.Path)
		fault := s.fault
		s.mu.Unlock()
		if fault == nil || !fault(w, r) {
			s.serve(w, r)
		}
		return true
	}
	return s
}

func (s *shelf) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if repo, id, ok := strings.Cut(path, "/manifests/"); ok {
		s.manifest(w, r, repo, id)
	} else if repo, id, ok := strings.Cut(path, "/blobs/uploads/"); ok {
		s.upload(w, r, repo, id)
	} else if repo, id, ok := strings.Cut(path, "/blobs/"); ok {
		s.mu.Lock()
		b, ok := s.blobs[repo+"@"+id]
		s.mu.Unlock()
		if !ok {
			w.WriteHeader(404)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b)
	}
}

func (s *shelf) manifest(w http.ResponseWriter, r *http.Request, repo, id string) {
	key := repo + ":" + id
	if r.Method == http.MethodPut {
		b, _ := io.ReadAll(r.Body)
		h, _, _ := v1.SHA256(bytes.NewReader(b))
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, missing := range s.missing(repo, b) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":%q}]}`, missing)
			return
		}
		for _, k := range []string{key, repo + ":" + h.String()} {
			s.docs[k], s.types[k] = b, r.Header.Get("Content-Type")
		}
		w.Header().Set("Docker-Content-Digest", h.String())
		w.WriteHeader(http.StatusCreated)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.docs[key]
	if !ok {
		w.WriteHeader(404)
		return
	}
	h, _, _ := v1.SHA256(bytes.NewReader(b))
	w.Header().Set("Docker-Content-Digest", h.String())
	w.Header().Set("Content-Type", s.types[key])
	_, _ = w.Write(b)
}

// missing lists what a manifest refers to that the repository does not have.
func (s *shelf) missing(repo string, b []byte) (out []string) {
	if m, err := v1.ParseManifest(bytes.NewReader(b)); err == nil && m.Config.Digest.Hex != "" {
		for _, d := range append(m.Layers, m.Config) {
			if _, ok := s.blobs[repo+"@"+d.Digest.String()]; !ok {
				out = append(out, d.Digest.String())
			}
		}
	}
	if m, err := v1.ParseIndexManifest(bytes.NewReader(b)); err == nil {
		for _, d := range m.Manifests {
			if _, ok := s.docs[repo+":"+d.Digest.String()]; !ok {
				out = append(out, d.Digest.String())
			}
		}
	}
	return out
}

func (s *shelf) upload(w http.ResponseWriter, r *http.Request, repo, id string) {
	q := r.URL.Query()
	if from := q.Get("from"); r.Method == http.MethodPost && from != "" {
		s.mu.Lock()
		b, ok := s.blobs[from+"@"+q.Get("mount")]
		if ok {
			s.blobs[repo+"@"+q.Get("mount")] = b
		}
		s.mu.Unlock()
		if ok {
			w.WriteHeader(http.StatusCreated)
			return
		}
	}
	if r.Method == http.MethodPost {
		s.mu.Lock()
		id = strconv.Itoa(len(s.sessions))
		s.sessions[id] = &bytes.Buffer{}
		s.mu.Unlock()
		w.Header().Set("Location", "/v2/"+repo+"/blobs/uploads/"+id+"?state=x")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.mu.Lock()
	session := s.sessions[id]
	s.mu.Unlock()
	if session == nil || q.Get("state") != "x" {
		w.WriteHeader(404)
		return
	}
	if s.largest > 0 && r.ContentLength > s.largest {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	b, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPatch && !strings.HasPrefix(r.Header.Get("Content-Range"), strconv.Itoa(session.Len())+"-") {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if r.Method == http.MethodPatch || err == nil { // of a part that breaks off, what has come stays
		session.Write(b)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Location", r.URL.String())
	if n := session.Len(); n > 0 {
		w.Header().Set("Range", "0-"+strconv.Itoa(n-1))
	}
	switch r.Method {
	case http.MethodPatch:
		w.WriteHeader(http.StatusAccepted)
	case http.MethodGet:
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		h, _, _ := v1.SHA256(bytes.NewReader(session.Bytes()))
		if h.String() != q.Get("digest") {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"errors":[{"code":"DIGEST_INVALID"}]}`)
			return
		}
		s.blobs[repo+"@"+h.String()] = session.Bytes()
		w.WriteHeader(http.StatusCreated)
	}
}

// did returns what was asked since the last time, as far as it has the part.
func (s *shelf) did(part string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.log {
		if strings.Contains(l, part) {
			out = append(out, l)
		}
	}
	s.log = nil
	return out
}
