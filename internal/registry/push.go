package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// Push sends an image, or an index with all its images, from the store to a registry, and gives it the name ref there.
// what is a name in the store, or a digest of a manifest or index. Manifests are sent byte for byte as they are stored.
// What the registry has is not sent: it is asked for each blob, and where an image of the store says that another of the
// registry's repositories has it, the registry is asked to take it from there. Mirrors are not written to. The result
// describes what the name means now.
//
// A push of what is there already costs one request.
//
// Errors: *Error, with fs.ErrNotExist for what the store does not have, or not all of; ctx.Err() when ctx ends.
// Source: OCI distribution specification, "Push".
func Push(ctx context.Context, s *store.Store, what, ref string, o Options) (v1.Descriptor, error) {
	o = o.withDefaults()
	r, err := Parse(ref)
	if err != nil {
		return v1.Descriptor{}, call("push", err)
	}
	fail := func(op string, err error) (v1.Descriptor, error) {
		return v1.Descriptor{}, call("push", explain(op, r.String(), r.Host(), ended(ctx, err)))
	}
	if o.Offline {
		return fail("connect", ErrOffline)
	}
	t := &tree{s: s}
	d, err := pushed(s, what)
	if err == nil {
		err = t.read(d, 1)
	}
	if err != nil {
		return fail("resolve", fmt.Errorf("%q: %w", what, err))
	}
	top := t.documents[len(t.documents)-1]
	if h, herr := v1.NewHash(r.ref.Identifier()); herr == nil && h != top.desc.Digest {
		return fail("resolve", fmt.Errorf("%w: %q is %s", store.ErrDigest, what, top.desc.Digest))
	}
	rep, stop := newReporter(r.String(), o.Progress)
	defer stop()
	p := newPusher(s, r, &o, t, rep)
	defer p.e.close()
	if err := p.push(ctx, t); err != nil {
		return fail("push", err)
	}
	return top.desc, nil
}

// call names the call in an error.
func call(name string, err error) error {
	if e, ok := err.(*Error); ok {
		e.Call = name
	}
	return err
}

// pushed is the descriptor of what is to be pushed: what a name points to, or the one document that a digest names.
func pushed(s *store.Store, what string) (v1.Descriptor, error) {
	if h, err := v1.NewHash(what); err == nil {
		if raw, err := s.Document(h); err == nil {
			if mt := mediaType("", raw); mt.IsImage() || mt.IsIndex() {
				return v1.Descriptor{MediaType: mt, Digest: h, Size: int64(len(raw))}, nil
			}
		}
		img, err := s.Find(what, nil) // by the digest of a configuration, or a manifest that does not say what it is
		if err != nil || img.Descriptor.Digest == h {
			return img.Descriptor, err
		}
		return v1.Descriptor{MediaType: img.Manifest.MediaType, Digest: img.Digest}, nil
	}
	if r, err := Parse(what); err == nil {
		if d, err := lookup(s, r.String()); err == nil {
			return d, nil
		}
	}
	return lookup(s, what)
}

// pusher is one push to a repository.
type pusher struct {
	s    *store.Store
	o    *Options
	e    *endpoint
	tag  string
	rep  *reporter
	from map[v1.Hash][]string // repositories of the same registry that have a blob
}

func newPusher(s *store.Store, r Reference, o *Options, t *tree, rep *reporter) *pusher {
	repo := r.ref.Context().RepositoryStr()
	p := &pusher{s: s, o: o, tag: r.ref.Identifier(), rep: rep, from: sources(s, r, t)}
	scopes := []string{"repository:" + repo + ":pull,push"}
	known := map[string]bool{}
	for _, repos := range p.from {
		for _, other := range repos {
			if !known[other] && len(known) < maxSources {
				known[other] = true
				scopes = append(scopes, pullScope(other)...)
			}
		}
	}
	p.e = newEndpoint(r.ref.Context().RegistryStr(), repo, false, scopes, o)
	return p
}

// push sends the blobs, then the manifests, the one that gets the name last.
func (p *pusher) push(ctx context.Context, t *tree) error {
	top := t.documents[len(t.documents)-1]
	if p.isThere(ctx, top.desc, p.tag) {
		for _, b := range t.blobs {
			p.rep.phase(b, Exists)
		}
		return nil
	}
	for _, b := range t.blobs {
		p.rep.phase(b, Waiting)
	}
	if err := parallel(ctx, p.o.Jobs, largestFirst(t.blobs, func(d v1.Descriptor) int64 { return d.Size }), p.blob); err != nil {
		return err
	}
	for _, d := range t.documents {
		name := d.desc.Digest.String()
		if d.desc.Digest == top.desc.Digest {
			name = p.tag
		}
		if err := p.manifest(ctx, d, name); err != nil {
			return err
		}
	}
	return nil
}

// isThere asks for a manifest. That nobody says so is no error: then it is sent.
func (p *pusher) isThere(ctx context.Context, d v1.Descriptor, name string) bool {
	resp, err := p.e.manifest(ctx, http.MethodHead, name)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.Header.Get("Docker-Content-Digest") == d.Digest.String()
}

// manifest sends a manifest or index as it is.
func (p *pusher) manifest(ctx context.Context, d document, name string) error {
	t := start(maxTries, p.o.retryPause)
	for {
		err := p.putManifest(ctx, d, name)
		if err == nil {
			return nil
		}
		if err := t.again(ctx, err); err != nil {
			return fmt.Errorf("manifest %s: %w", d.desc.Digest, err)
		}
	}
}

func (p *pusher) putManifest(ctx context.Context, d document, name string) error {
	r, err := p.e.request(http.MethodPut, "manifests/"+name, nil, bytes.NewReader(d.raw)) // which can be sent again
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", string(d.desc.MediaType))
	resp, err := p.e.do(ctx, r, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody)) // so that the connection can be used again
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != d.desc.Digest.String() {
		return fmt.Errorf("%w: the registry calls it %.100q", store.ErrDigest, got)
	}
	return nil
}
