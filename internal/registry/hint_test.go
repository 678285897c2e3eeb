package registry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// An error shows the scheme that was spoken.
func TestErrorsShowTheScheme(t *testing.T) {
	for what, hook := range map[string]func(w http.ResponseWriter, r *http.Request){
		"reset": abort, "403": status(403),
	} {
		f := newFake(t)
		ref, _ := f.tag("repo", f.image("repo", layerOf("a", "1")))
		f.hook = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			hook(w, r)
			return true
		}
		_, err := Pull(t.Context(), newStore(t), ref, f.options())
		if err == nil || strings.Contains(err.Error(), "https://") || !strings.Contains(err.Error(), "http://"+f.host) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is said of an answer that is too large fits what was asked.
func TestTooLargeHints(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		b := make([]byte, 1<<20)
		for range 5 {
			_, _ = w.Write(b)
		}
		return true
	}
	hint := func(err error) string {
		var e *Error
		if !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) {
			t.Errorf("%v", err)
			return ""
		}
		return e.Hint
	}
	hints := map[string]string{}
	for _, err := range Tags(t.Context(), f.host+"/repo", f.options()) {
		hints["tags"] = hint(err)
	}
	for _, err := range Catalog(t.Context(), f.host, f.options()) {
		hints["catalog"] = hint(err)
	}
	for _, err := range Search(t.Context(), f.host+"/term", 0, f.options()) {
		hints["search"] = hint(err)
	}
	_, err := Pull(t.Context(), newStore(t), f.host+"/repo", f.options())
	hints["pull"] = hint(err)
	for what, h := range hints {
		if strings.Contains(h, "image") != (what == "pull") || h == "" {
			t.Errorf("%s: %s", what, h)
		}
	}
	if len(hints) != 4 {
		t.Errorf("%v", hints)
	}
}
