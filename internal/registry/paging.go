package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxPages bounds how many pages of a list are read. A page of a registry has a hundred to a thousand names.
	maxPages = 1000

	// pageSize is how many names a page is asked to have.
	pageSize = "1000"
)

// Tags lists the tags of a repository, in the order of the registry. A repository is a reference without a tag; a tag or
// digest of it does not matter.
//
// Errors, each the last value: *Error with fs.ErrNotExist (no such repository), ErrAnswer, ErrTooLarge (a list of more
// than 1000 pages); ctx.Err(). Source: OCI distribution specification, "Listing Tags".
func Tags(ctx context.Context, repo string, o Options) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		o := o.withDefaults()
		r, err := Parse(repo)
		if err != nil {
			yield("", call("tags", err))
			return
		}
		path := r.ref.Context().RepositoryStr()
		e := newEndpoint(r.ref.Context().RegistryStr(), path, false, pullScope(path), &o)
		defer e.close()
		l := list{e: e, o: &o, valid: validTag, path: "tags/list"}
		if err := l.all(ctx, yield); err != nil {
			yield("", call("tags", explain("list", r.Name(), r.Host(), ended(ctx, err))))
		}
	}
}

// Catalog lists the repositories of a registry, such as "localhost:5000". Many registries, Docker Hub among them, do not
// tell.
//
// Errors: as of Tags. Source: distribution, "HTTP API V2", "Catalog".
func Catalog(ctx context.Context, registry string, o Options) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		o := o.withDefaults()
		host, err := parseHost(registry)
		if err != nil {
			yield("", call("catalog", err))
			return
		}
		if err := catalog(ctx, host, &o, yield); err != nil {
			yield("", call("catalog", explain("list", registry, registry, ended(ctx, err))))
		}
	}
}

func catalog(ctx context.Context, host string, o *Options, yield func(string, error) bool) error {
	e := newEndpoint(host, "", false, []string{"registry:catalog:*"}, o)
	defer e.close()
	l := list{e: e, o: o, valid: components.MatchString, path: "_catalog"}
	return l.all(ctx, yield)
}

// parseHost reads a registry.
func parseHost(registry string) (string, error) {
	if !validHost(registry) {
		return "", &Error{Op: "parse", Ref: registry, Err: ErrReference, Hint: "write it as host or host:port"}
	}
	if registry == "docker.io" {
		return dockerHub, nil
	}
	return registry, nil
}

// validTag is the grammar of a tag; distribution specification, "Pulling manifests".
func validTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		alnum := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !alnum && r != '_' && r != '.' && r != '-'
	}) < 0
}

// list is a list of names that a registry gives page by page.
type list struct {
	e     *endpoint
	o     *Options
	path  string
	valid func(name string) bool
}

// all yields the names. An error is returned, unless the reader has had enough.
func (l *list) all(ctx context.Context, yield func(string, error) bool) error {
	if l.o.Offline {
		return ErrOffline
	}
	u := l.e.url(l.path, url.Values{"n": {pageSize}})
	if l.e.repo == "" {
		u.Path = "/v2/" + l.path
	}
	for range maxPages {
		names, next, err := l.page(ctx, u)
		if err != nil {
			return err
		}
		for _, n := range names {
			if !l.valid(n) {
				return fmt.Errorf("%w: %.100q is no name", ErrAnswer, n)
			}
			if !yield(n, nil) {
				return nil
			}
		}
		if next == nil {
			return nil
		}
		if len(names) == 0 || next.String() == u.String() {
			return fmt.Errorf("%w: a list that does not get on", ErrAnswer)
		}
		u = next
	}
	return fmt.Errorf("%w: a list of more than %d pages", ErrTooLarge, maxPages)
}

// page reads a page, and where the next one is.
func (l *list) page(ctx context.Context, u *url.URL) ([]string, *url.URL, error) {
	t := start(maxTries, l.o.retryPause)
	for {
		names, next, err := l.read(ctx, u)
		if err == nil {
			return names, next, nil
		}
		if err := t.again(ctx, err); err != nil {
			return nil, nil, err
		}
	}
}

func (l *list) read(ctx context.Context, u *url.URL) ([]string, *url.URL, error) {
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := l.e.do(ctx, r, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := readAll(resp.Body)
	if err != nil {
		return nil, nil, err
	}
	var doc struct {
		Tags         []string `json:"tags"`
		Repositories []string `json:"repositories"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	next, err := l.next(u, resp.Header.Get("Link"))
	if l.e.repo == "" {
		return doc.Repositories, next, err
	}
	return doc.Tags, next, err
}

// next reads the Link to the next page. It must be of the same list on the same host. Source: RFC 8288.
func (l *list) next(u *url.URL, header string) (*url.URL, error) {
	target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(header), "<"), ">")
	if !ok || !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
		return nil, nil
	}
	next, err := u.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if next.Host == u.Host && next.Scheme == "http" { // the transport puts in what the registry answers to
		next.Scheme = u.Scheme
	}
	if next.Scheme != u.Scheme || next.Host != u.Host || next.Path != u.Path || next.User != nil {
		return nil, fmt.Errorf("%w: the next page is elsewhere, %.200q", ErrAnswer, next.Redacted())
	}
	return next, nil
}
