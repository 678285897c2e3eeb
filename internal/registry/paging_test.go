package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/store"
)

// collect reads a list up to its error.
func collect(t *testing.T, f *fake, what string) (names []string, err error) {
	list := Tags(t.Context(), f.host+"/repo", f.options())
	if what == "catalog" {
		list = Catalog(t.Context(), f.host, f.options())
	}
	for name, e := range list {
		if e != nil {
			if err != nil {
				t.Error("two errors")
			}
			err = e
			continue
		}
		if err != nil {
			t.Error("a name behind an error")
		}
		names = append(names, name)
	}
	return names, err
}

func TestTags(t *testing.T) {
	f := newFake(t)
	p := f.image("repo", layerOf("a", "1"))
	for _, tag := range []string{"latest", "v1", "V2.x_y-z"} {
		f.tag("repo", p)
		f.raw("repo", tag, p.manifest.MediaType, toJSON(t, p.manifest))
	}
	f.tag("team/other", f.image("team/other", layerOf("a", "1")))
	if got, err := collect(t, f, "tags"); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), []string{"V2.x_y-z", "latest", "v1"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := collect(t, f, "catalog"); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), []string{"repo", "team/other"}) {
		t.Errorf("%q, %v", got, err)
	}
	for range Tags(t.Context(), f.host+"/repo", f.options()) {
		break // whoever has enough may go
	}
	for _, err := range Tags(t.Context(), f.host+"/none", f.options()) {
		var e *Error
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) || e.Call != "tags" {
			t.Error(err)
		}
	}
	for _, err := range Tags(t.Context(), "UPPER", f.options()) {
		if !errors.Is(err, ErrReference) {
			t.Error(err)
		}
	}
	for _, err := range Catalog(t.Context(), "a/b", f.options()) {
		if !errors.Is(err, ErrReference) {
			t.Error(err)
		}
	}
	o := f.options()
	o.Offline = true
	for _, err := range Catalog(t.Context(), f.host, o) {
		if !errors.Is(err, ErrOffline) {
			t.Error(err)
		}
	}
}

// T50, T52: lists page by page, and what is wrong with them.
func TestPages(t *testing.T) {
	f, c := newFake(t), newCanary(t, "")
	asked := 0
	page := func(link, body string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			asked++
			if strings.Contains(link, "%d") {
				w.Header().Set("Link", fmt.Sprintf(link, asked))
			} else if link != "" {
				w.Header().Set("Link", link)
			}
			fmt.Fprint(w, body)
			return true
		}
	}
	for name, tc := range map[string]struct {
		hook  func(w http.ResponseWriter, r *http.Request) bool
		is    error
		names int
		asked int
	}{
		"one page":       {page("", `{"tags":["a","b"]}`), nil, 2, 1},
		"null":           {page("", `{"tags":null}`), nil, 0, 1},
		"other relation": {page(`</v2/repo/tags/list?last=a>; rel="prev"`, `{"tags":["a"]}`), nil, 1, 1},
		"no end":         {page(`</v2/repo/tags/list?last=%d>; rel="next"`, `{"tags":["a"]}`), ErrTooLarge, maxPages, maxPages},
		"the same":       {page(`</v2/repo/tags/list?last=a>; rel=next`, `{"tags":["a"]}`), ErrAnswer, 2, 2},
		"nothing more":   {page(`</v2/repo/tags/list?last=%d>; rel="next"`, `{"tags":[]}`), ErrAnswer, 0, 1},
		"elsewhere":      {page(`<`+c.URL+`/v2/repo/tags/list>; rel="next"`, `{"tags":["a"]}`), ErrAnswer, 0, 1},
		"other path":     {page(`</v2/other/tags/list>; rel="next"`, `{"tags":["a"]}`), ErrAnswer, 0, 1},
		"with a user":    {page(`<http://u:p@`+f.host+`/v2/repo/tags/list?x>; rel="next"`, `{"tags":["a"]}`), ErrAnswer, 0, 1},
		"no JSON":        {page("", `<html>`), ErrAnswer, 0, 1},
		"no tags":        {page("", `{"tags":["a","b c"]}`), ErrAnswer, 1, 1},
		"escape":         {page("", `{"tags":["\u001b[31m"]}`), ErrAnswer, 0, 1},
		"endless": {func(w http.ResponseWriter, r *http.Request) bool {
			asked++
			for _, err := fmt.Fprint(w, `{"tags":["`); err == nil; _, err = w.Write(make([]byte, 1<<16)) {
			}
			return true
		}, store.ErrTooLarge, 0, 1},
		"three pages": {func(w http.ResponseWriter, r *http.Request) bool {
			if asked++; asked < 3 {
				w.Header().Set("Link", fmt.Sprintf(`<http://%s/v2/repo/tags/list?last=%d&n=2>; rel="next"`, f.host, asked))
			}
			fmt.Fprintf(w, `{"tags":["x%d","y%d"]}`, asked, asked)
			return true
		}, nil, 6, 3},
		"busy": {func(w http.ResponseWriter, r *http.Request) bool {
			if asked++; asked < 3 {
				w.WriteHeader(503)
				return true
			}
			fmt.Fprint(w, `{"tags":["a"]}`)
			return true
		}, nil, 1, 3},
	} {
		f.hook, asked = tc.hook, 0
		names, err := collect(t, f, "tags")
		if tc.is == nil && err != nil || tc.is != nil && !errors.Is(err, tc.is) || len(names) != tc.names || asked != tc.asked {
			t.Errorf("%s: %d names, %d requests, %v", name, len(names), asked, err)
		}
	}
	if n := c.conns.Load(); n != 0 {
		t.Errorf("%d connections elsewhere", n)
	}
}

func TestSearch(t *testing.T) {
	f := newFake(t)
	search := func(term string, limit int) (found []Found, err error) {
		for r, e := range Search(t.Context(), term, limit, f.options()) {
			if err = e; e == nil {
				found = append(found, r)
			}
		}
		return found, err
	}
	// Without a search of its own, the catalog is looked through.
	for _, repo := range []string{"alpine", "team/alpine-tools", "debian"} {
		f.tag(repo, f.image(repo, layerOf("a", "1")))
	}
	got, err := search(f.host+"/alpine", 0)
	slices.SortFunc(got, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || len(got) != 2 || got[0].Name != f.host+"/alpine" || got[1].Name != f.host+"/team/alpine-tools" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = search(f.host+"/alpine", 1); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	// With one.
	asked := 0
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/search" {
			return false
		}
		asked++
		if q := r.URL.Query(); q.Get("q") != "a b&c" || q.Get("page") != fmt.Sprint(asked) || q.Get("n") != "3" {
			t.Errorf("%s", r.URL)
		}
		fmt.Fprint(w, `{"num_pages":9,"results":[{"name":"one","description":"first\u001b[31m\nline","star_count":7,"is_official":true},
			{"name":"../evil"},{"name":"two/three"}]}`)
		return true
	}
	got, err = search(f.host+"/a b&c", 3)
	if err != nil || len(got) != 3 || asked != 2 || got[0] != (Found{f.host + "/one", "first [31m line", 7, true}) {
		t.Errorf("%+v, %v", got, err)
	}
	f.hook = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(403); return true }
	if _, err = search(f.host+"/a", 1); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// Docker Hub is where a term without a registry is looked for.
func TestSearchHub(t *testing.T) {
	o := Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != dockerHub || r.URL.Scheme != "https" || r.URL.Path != "/v1/search" {
			t.Errorf("%s", r.URL)
		}
		body := `{"num_pages":1,"results":[{"name":"alpine"},{"name":"user/alpine"}]}`
		return &http.Response{StatusCode: 200, Body: readCloser{strings.NewReader(body)}, ContentLength: int64(len(body)), Request: r}, nil
	})}
	for _, term := range []string{"alpine", "docker.io/alpine", "some/alpine"} {
		var names []string
		for f, err := range Search(t.Context(), term, 0, o) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, f.Name)
		}
		if !slices.Equal(names, []string{"docker.io/library/alpine", "docker.io/user/alpine"}) {
			t.Errorf("%s: %q", term, names)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
