package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/caisson-go/caisson/internal/store"
)

// What is pushed is what was pulled, byte for byte: an image, and an index with all of its images.
func TestPushRoundTrip(t *testing.T) {
	t.Parallel()
	from, to := newFake(t), newShelf(t)
	rng := rand.New(rand.NewPCG(1, 1))
	image, _ := from.tag("image", from.image("image", layerOf("a", noise(rng, 100_000)), layerOf("b", "2")))
	index := from.push("index:latest", platforms(t, "amd64", "arm64"))
	for name, ref := range map[string]string{"image": image, "index": index} {
		s := newStore(t)
		o := from.options()
		o.AllPlatforms = true
		img, err := Pull(t.Context(), s, ref, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Insecure = append(o.Insecure, to.host)
		d, err := Push(t.Context(), s, ref, to.host+"/copy/"+name+":v1", o)
		if err != nil || d.Digest != img.Descriptor.Digest {
			t.Fatalf("%s: %v", name, err)
		}
		raw, _ := s.Document(d.Digest)
		if got := to.docs["copy/"+name+":v1"]; !bytes.Equal(got, raw) {
			t.Errorf("%s: the manifest is another: %s", name, got)
		}
		to.did("")
		// Again, by digest: one request.
		if _, err := Push(t.Context(), s, d.Digest.String(), to.host+"/copy/"+name+":v1", o); err != nil {
			t.Fatal(err)
		}
		if got := to.did(""); len(got) != 1 {
			t.Errorf("%s again: %q", name, got)
		}
		// And under another tag: nothing but the questions and the manifests.
		if _, err := Push(t.Context(), s, ref, to.host+"/copy/"+name+":v2", o); err != nil {
			t.Fatal(err)
		}
		if got := to.did("uploads"); len(got) != 0 {
			t.Errorf("%s, another tag: %q", name, got)
		}
		again := newStore(t)
		if img2, err := Pull(t.Context(), again, to.host+"/copy/"+name+":v2", o); err != nil || img2.Descriptor.Digest != d.Digest {
			t.Errorf("%s comes back as %v, %v", name, img2.Descriptor, err)
		}
	}
}

// Layers that other repositories have are taken from there; where they do not have them after all, they are sent.
func TestPushMounts(t *testing.T) {
	f := newShelf(t)
	src := newFake(t)
	p := src.image("src", layerOf("a", "shared"), layerOf("b", "shared too"))
	ref, _ := src.tag("src", p)
	s := newStore(t)
	o := src.options()
	o.Insecure = append(o.Insecure, f.host)
	img, err := Pull(t.Context(), s, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"base/one:latest", "base/two:latest"} {
		if err := s.Tag(t.Context(), f.host+"/"+name, img.Descriptor); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Push(t.Context(), s, ref, f.host+"/base/two", o); err != nil {
		t.Fatal(err)
	}
	f.did("")
	var phases []Phase
	o.Progress = func(p Progress) { phases = append(phases, p.Phase) }
	if _, err := Push(t.Context(), s, ref, f.host+"/new/app", o); err != nil { // base/one has nothing
		t.Fatal(err)
	}
	mounted := 0
	for _, ph := range phases {
		if ph == Mounted {
			mounted++
		}
	}
	if mounted+len(f.did("PUT /v2/new/app/blobs")) != 3 || len(f.blobs) != 6 {
		t.Errorf("%d mounted, phases %v", mounted, phases)
	}
}

// Uploads that break off go on; what is not taken at once is sent in parts.
func TestPushFaults(t *testing.T) {
	t.Parallel()
	src := newFake(t)
	rng := rand.New(rand.NewPCG(2, 2))
	ref, _ := src.tag("src", src.image("src", layerOf("a", noise(rng, 40_000))))
	s := newStore(t)
	o := src.options()
	if _, err := Pull(t.Context(), s, ref, o); err != nil {
		t.Fatal(err)
	}
	count := func(n int, method string, do func(w http.ResponseWriter, r *http.Request)) func(w http.ResponseWriter, r *http.Request) bool {
		var mu sync.Mutex
		return func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if r.Method != method || n == 0 {
				return false
			}
			n--
			do(w, r)
			return true
		}
	}
	half := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1000)
		panic(http.ErrAbortHandler)
	}
	for name, tc := range map[string]struct {
		fault   func(w http.ResponseWriter, r *http.Request) bool
		largest int64
		is      error
		code    int
	}{
		"none":                  {},
		"reset of PUT":          {fault: count(1, "PUT", half)},
		"reset of PUT, often":   {fault: count(4, "PUT", half)},
		"reset of POST":         {fault: count(2, "POST", abort)},
		"reset of HEAD":         {fault: count(2, "HEAD", abort)},
		"503 of POST":           {fault: count(3, "POST", status(503))},
		"429 of PUT":            {fault: count(1, "PUT", status(429, "Retry-After", "0"))},
		"too large for one":     {largest: 1000},
		"parts, and one breaks": {largest: 1000, fault: count(1, "PATCH", half)},
		"parts, and one is 500": {largest: 1000, fault: count(2, "PATCH", status(500))},
		"session is forgotten": {largest: 1000, fault: func() func(w http.ResponseWriter, r *http.Request) bool {
			a, b := count(1, "PATCH", status(500)), count(1, "GET", status(404))
			return func(w http.ResponseWriter, r *http.Request) bool { return a(w, r) || b(w, r) }
		}()},
		"denied":             {fault: count(-1, "POST", status(403)), is: fs.ErrPermission},
		"manifest denied":    {fault: manifestPut(status(401)), is: fs.ErrPermission},
		"no location":        {fault: count(-1, "POST", status(202)), is: ErrAnswer},
		"too large for all":  {largest: 1, code: 413},
		"always 500":         {fault: count(-1, "POST", status(500)), code: 500},
		"another digest":     {fault: manifestPut(status(201, "Docker-Content-Digest", other.String())), is: store.ErrDigest},
		"manifest twice 503": {fault: count(2, "PUT", status(503))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newShelf(t)
			f.fault, f.largest = tc.fault, tc.largest
			o := o
			o.Insecure = append([]string{f.host}, o.Insecure...)
			o.chunk = 1000
			before := listing(t, s)
			_, err := Push(t.Context(), s, ref, f.host+"/to", o)
			var e *Error
			var answer *StatusError
			switch {
			case tc.is == nil && tc.code == 0:
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &e) || e.Call != "push" || tc.is != nil && !errors.Is(err, tc.is),
				tc.code != 0 && (!errors.As(err, &answer) || answer.Code != tc.code):
				t.Errorf("err = %v", err)
			}
			if listing(t, s) != before {
				t.Error("the store has changed")
			}
		})
	}
}

func manifestPut(do func(w http.ResponseWriter, r *http.Request)) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		do(w, r)
		return true
	}
}

// What can not be pushed is said before anything is sent.
func TestPushErrors(t *testing.T) {
	t.Parallel()
	f := newShelf(t)
	src := newFake(t)
	p := src.image("src", layerOf("a", "1"))
	ref, d := src.tag("src", p)
	s := newStore(t)
	o := src.options()
	o.Insecure = append(o.Insecure, f.host)
	if _, err := Pull(t.Context(), s, ref, o); err != nil {
		t.Fatal(err)
	}
	offline := o
	offline.Offline = true
	for name, tc := range map[string]struct {
		what, ref string
		o         Options
		is        error
	}{
		"bad reference":  {ref, "UPPER/case", o, ErrReference},
		"no image":       {"nothing", f.host + "/x", o, fs.ErrNotExist},
		"no digest":      {other.String(), f.host + "/x", o, fs.ErrNotExist},
		"a layer":        {p.manifest.Layers[0].Digest.String(), f.host + "/x", o, fs.ErrNotExist},
		"another digest": {ref, f.host + "/x@" + other.String(), o, store.ErrDigest},
		"offline":        {ref, f.host + "/x", offline, ErrOffline},
	} {
		_, err := Push(t.Context(), s, tc.what, tc.ref, tc.o)
		var e *Error
		if !errors.Is(err, tc.is) || !errors.As(err, &e) || e.Call != "push" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := f.hits.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	if _, err := Push(t.Context(), s, ref, f.host+"/x@"+d.Digest.String(), o); err != nil {
		t.Errorf("by digest: %v", err)
	}
	removeBlob(t, s, p.manifest.Layers[0].Digest)
	if _, err := Push(t.Context(), s, ref, f.host+"/y", o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a layer is missing: %v", err)
	}
}

// T48: an upload to another host is told no secret, and a token is asked for with all that it has to be good for.
func TestPushCredentials(t *testing.T) {
	t.Parallel()
	f, elsewhere := newShelf(t), newFake(t)
	src := newFake(t)
	ref, _ := src.tag("src", src.image("src", layerOf("a", "1")))
	s := newStore(t)
	o := src.options()
	img, err := Pull(t.Context(), s, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(t.Context(), f.host+"/base:1", img.Descriptor); err != nil {
		t.Fatal(err)
	}
	elsewhere.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host was told the credentials")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		return true
	}
	var scopes []string
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			scopes = r.URL.Query()["scope"]
			fmt.Fprint(w, `{"token":"good"}`)
		case r.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+f.srv.URL+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost:
			w.Header().Set("Location", elsewhere.srv.URL+"/upload")
			w.WriteHeader(http.StatusAccepted)
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
		default:
			return false
		}
		return true
	}
	o.Insecure = []string{f.host, elsewhere.host}
	o.Keychain = keychain{authn.FromConfig(authn.AuthConfig{Username: "user", Password: "secret"})}
	if _, err := Push(t.Context(), s, ref, f.host+"/app", o); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(scopes, " "); got != "repository:app:pull,push repository:base:pull" {
		t.Errorf("scopes: %s", got)
	}
	if elsewhere.hits.Load() != 2 {
		t.Errorf("%d uploads", elsewhere.hits.Load())
	}
}
