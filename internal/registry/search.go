package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Found is a repository that a search has found.
type Found struct {
	Name        string // as a reference, such as "docker.io/library/alpine"
	Description string // one line, at most 1000 bytes of what can be printed
	Stars       int
	Official    bool
}

const (
	searchPage     = 100
	maxSearchPages = 50
	maxDescription = 1000
)

// Search finds repositories by a term, in the registry's order, at most limit of them; zero is 25. A registry may stand
// before the term, "localhost:5000/alp"; otherwise it is Docker Hub. What is asked is Docker Hub's first API,
// /v1/search, the one of the docker command, of which there is no specification, and which some other registries have
// too. Of those that do not, the catalog is read and the names with the term in them are taken.
//
// Errors, each the last value: as of Tags.
func Search(ctx context.Context, term string, limit int, o Options) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		o := o.withDefaults()
		if limit <= 0 {
			limit = 25
		}
		s := search{o: &o, shown: "docker.io", host: dockerHub, term: term, left: limit, size: min(limit, searchPage), yield: yield}
		if host, rest, ok := strings.Cut(term, "/"); ok && isRegistry(host) && validHost(host) {
			s.shown, s.term = host, rest
			s.host, _ = parseHost(host)
		}
		if s.host == dockerHub {
			s.shown = "docker.io"
		}
		if err := s.run(ctx); err != nil {
			yield(Found{}, call("search", explain("search", term, s.shown, ended(ctx, err))))
		}
	}
}

// isRegistry is the rule of references for what stands before the first slash.
func isRegistry(s string) bool { return s == "localhost" || strings.ContainsAny(s, ".:") }

// search is one search.
type search struct {
	o           *Options
	host, shown string
	term        string
	left, size  int // results that are still wanted, and of a page
	yield       func(Found, error) bool
}

func (s *search) run(ctx context.Context) error {
	if s.o.Offline {
		return ErrOffline
	}
	if len(s.term) > 256 {
		return fmt.Errorf("%w: a term of more than 256 bytes", ErrReference)
	}
	err := s.ask(ctx)
	if err == nil || s.host == dockerHub || ctx.Err() != nil || !errors.Is(err, errNoSearch) {
		return err
	}
	return catalog(ctx, s.host, s.o, func(name string, err error) bool {
		if !strings.Contains(name, strings.ToLower(s.term)) {
			return true
		}
		return s.found(Found{Name: name})
	})
}

// errNoSearch is the answer of a registry that has no search.
var errNoSearch = errors.New("no search")

// found yields a result, and reports whether more are wanted.
func (s *search) found(f Found) bool {
	f.Name = s.shown + "/" + f.Name
	s.left--
	return s.yield(f, nil) && s.left > 0
}

// ask uses the search of the registry.
func (s *search) ask(ctx context.Context) error {
	e := newEndpoint(s.host, "", false, nil, s.o)
	defer e.close()
	for page := 1; page <= maxSearchPages; page++ {
		t := start(maxTries, s.o.retryPause)
		var more bool
		for {
			var err error
			if more, err = s.page(ctx, e, page); err == nil {
				break
			}
			if err := t.again(ctx, err); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (s *search) page(ctx context.Context, e *endpoint, page int) (more bool, err error) {
	u := e.url("", url.Values{"q": {s.term}, "n": {strconv.Itoa(s.size)}, "page": {strconv.Itoa(page)}})
	u.Path = "/v1/search"
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return false, err
	}
	resp, err := e.do(ctx, r, http.StatusOK)
	if err != nil {
		var answer *StatusError
		if errors.As(err, &answer) && !passing(err) {
			err = &classError{errNoSearch, err}
		}
		return false, err
	}
	defer resp.Body.Close()
	b, err := readAll(resp.Body)
	if err != nil {
		return false, err
	}
	var doc struct {
		Pages   int `json:"num_pages"`
		Results []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Stars       int    `json:"star_count"`
			Official    bool   `json:"is_official"`
		} `json:"results"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return false, &classError{errNoSearch, fmt.Errorf("%w: %w", ErrAnswer, err)}
	}
	for _, f := range doc.Results {
		if s.host == dockerHub && !strings.Contains(f.Name, "/") {
			f.Name = "library/" + f.Name
		}
		if !components.MatchString(f.Name) || len(f.Name) > 255 {
			continue // nothing that could be pulled
		}
		if !s.found(Found{f.Name, printable(f.Description, maxDescription), f.Stars, f.Official}) {
			return false, nil
		}
	}
	return len(doc.Results) > 0 && page < doc.Pages, nil
}
