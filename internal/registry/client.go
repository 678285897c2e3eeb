package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// client reads one image's repository, from its mirrors and from its registry.
type client struct {
	o         *Options
	endpoints []*endpoint // in the order in which they are asked; the registry is the last
}

// newClient connects to nobody yet.
func newClient(r Reference, o *Options) *client {
	repo := r.ref.Context()
	c := &client{o: o}
	for _, m := range o.Mirrors[r.Host()] {
		host, prefix, err := parseMirror(m)
		if err != nil {
			continue // checked by withDefaults
		}
		path := prefix + repo.RepositoryStr()
		c.endpoints = append(c.endpoints, newEndpoint(host, path, true, pullScope(path), o))
	}
	path := repo.RepositoryStr()
	c.endpoints = append(c.endpoints, newEndpoint(repo.RegistryStr(), path, false, pullScope(path), o))
	return c
}

// pullScope is the scope of a token to read a repository; distribution, "Token Scope Documentation".
func pullScope(repo string) []string { return []string{"repository:" + repo + ":pull"} }

// close closes the connections that are kept.
func (c *client) close() {
	for _, e := range c.endpoints {
		e.close()
	}
}

// each asks the mirrors that are in order, then the registry, until one does not fail. Of several errors it is the
// registry's that counts.
func (c *client) each(ctx context.Context, ask func(e *endpoint) error) error {
	for _, e := range c.endpoints {
		if e.mirror && (e.lacks.Load() || !c.o.Breaker.allow(e.host)) {
			continue
		}
		err := ask(e)
		if !e.mirror {
			return err
		}
		c.report(ctx, e, err)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return errors.New("no registry") // can not be: the registry is always there
}

// report tells the breaker how a mirror did.
func (c *client) report(ctx context.Context, e *endpoint, err error) {
	switch {
	case !e.mirror || ctx.Err() != nil:
	case err == nil || absent(err):
		c.o.Breaker.succeeded(e.host)
	default:
		c.o.Breaker.failed(e.host)
	}
}

// absent reports the answer of a mirror that is in order, but does not have what it was asked for, or not for us.
func absent(err error) bool {
	var answer *StatusError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// attempts is how often something is asked of an endpoint.
func (c *client) attempts(e *endpoint) tries {
	if e.mirror {
		return start(mirrorTries, c.o.retryPause)
	}
	return start(maxTries, c.o.retryPause)
}

// manifest fetches a manifest or index, with the media type that it comes as, and accepts it if check does.
func (c *client) manifest(ctx context.Context, id string, check func(raw []byte, header string) error) error {
	return c.each(ctx, func(e *endpoint) error {
		t := c.attempts(e)
		for {
			err := readManifest(ctx, e, id, check)
			if err == nil {
				return nil
			}
			if e.mirror && absent(err) {
				e.lacks.Store(true)
			}
			if err := t.again(ctx, err); err != nil {
				return err
			}
		}
	})
}

func readManifest(ctx context.Context, e *endpoint, id string, check func(raw []byte, header string) error) error {
	resp, err := e.manifest(ctx, http.MethodGet, id)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := readAll(resp.Body)
	if err != nil {
		return err
	}
	return check(raw, resp.Header.Get("Content-Type"))
}

// readAll reads the body of an answer that is no blob. The guard bounds it.
func readAll(body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(body)
	if err == nil || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrStalled) {
		return b, err
	}
	return nil, &brokenError{redact(err)} // whatever it was, the next time it may be better
}

// head asks what a tag means now. Both are "" if nobody says.
func (c *client) head(ctx context.Context, id string) (digest, mediaType string, err error) {
	err = c.each(ctx, func(e *endpoint) error {
		t := c.attempts(e)
		for {
			resp, err := e.manifest(ctx, http.MethodHead, id)
			if err == nil {
				resp.Body.Close()
				digest, mediaType = resp.Header.Get("Docker-Content-Digest"), resp.Header.Get("Content-Type")
				return nil
			}
			if err := t.again(ctx, err); err != nil {
				return err
			}
		}
	})
	if absent(err) {
		err = nil // whatever a GET brings; not all registries answer HEAD alike
	}
	return digest, mediaType, err
}
