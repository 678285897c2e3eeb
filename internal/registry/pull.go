package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// Pull makes the image that ref names available in the store, and gives it the full name of ref there, which is its
// Image.Ref. The image becomes visible when it is complete. Layers that were complete before an error are kept for the
// next time; nothing else is.
//
// A pull of what is there already costs nothing with Missing, and with Always one request, a HEAD of the tag: documents
// and layers are named by digests, and those that the store has are not fetched.
//
// Errors: *Error, see there; ctx.Err() when ctx ends.
func Pull(ctx context.Context, s *store.Store, ref string, o Options) (store.Image, error) {
	o = o.withDefaults()
	r, err := Parse(ref)
	if err != nil {
		return store.Image{}, err
	}
	if err := checkMirrors(o.Mirrors); err != nil {
		return store.Image{}, &Error{Op: "parse", Ref: r.String(), Err: err}
	}
	img, err := store.Image{}, errFetch
	if o.Policy != Always || o.Offline {
		img, err = local(ctx, s, r, &o)
	}
	if errors.Is(err, errFetch) {
		img, err = fetch(ctx, s, r, &o)
	}
	if err != nil {
		return store.Image{}, err
	}
	img.Ref = r.String() // not another name, if it has the digest that r asks for
	return img, nil
}

// errFetch marks what asking the registry can mend.
var errFetch = errors.New("to be fetched")

// local looks for the image in the store.
func local(ctx context.Context, s *store.Store, r Reference, o *Options) (store.Image, error) {
	img, err := stored(ctx, s, r, o)
	if err == nil {
		return img, nil
	}
	e := &Error{Op: "resolve", Ref: r.String(), Err: ended(ctx, err)}
	mend := errors.Is(err, errFetch) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrPlatform) ||
		errors.Is(err, store.ErrDigest) || errors.Is(err, store.ErrDocument)
	var of *store.Error
	if errors.As(err, &of) && of.Op == "open" { // the store as a whole is of no use
		mend = false
	}
	switch {
	case ctx.Err() != nil:
	case o.Offline:
		e.Err = &classError{ErrOffline, err}
		e.Hint = "pull the image when registries may be asked"
	case o.Policy == Never:
		e.Hint = "the policy is Never; pull the image first"
	case mend:
		e.Err = &classError{errFetch, err}
	}
	return store.Image{}, e
}

// stored finds a complete image of the store. Layers that are only packed there, because they were pushed to it or came
// for another platform, are unpacked.
func stored(ctx context.Context, s *store.Store, r Reference, o *Options) (store.Image, error) {
	if err := ctx.Err(); err != nil {
		return store.Image{}, err
	}
	if o.AllPlatforms {
		d, err := complete(s, r.String())
		if err != nil {
			return store.Image{}, err
		}
		if !d.MediaType.IsIndex() && o.Policy == Missing && !o.Offline {
			return store.Image{}, errFetch // it may have been chosen from an index
		}
	}
	img, err := resolve(s, r, o)
	if !errors.Is(err, store.ErrIncomplete) {
		return img, err
	}
	if err := unpackNamed(ctx, s, r, o); err != nil {
		if o.Policy == Missing && !o.Offline && ctx.Err() == nil && !lasting(err) {
			err = &classError{errFetch, err} // the registry may have what is missing or damaged
		}
		return store.Image{}, err
	}
	return resolve(s, r, o)
}

// fetch gets the image from the registry.
func fetch(ctx context.Context, s *store.Store, r Reference, o *Options) (store.Image, error) {
	rep, stop := newReporter(r.String(), o.Progress)
	defer stop()
	p := &puller{s: s, ref: r, o: o, c: newClient(r, o), rep: rep, read: map[v1.Hash]document{}}
	defer p.c.close()
	if err := p.pull(ctx); err != nil {
		return store.Image{}, err
	}
	img, err := resolve(s, r, o)
	if err != nil {
		return store.Image{}, &Error{Op: "store", Ref: r.String(), Err: err}
	}
	return img, nil
}

// ended makes sure that an error after the end of ctx says so: a request that is cut off has other things to say.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return &classError{ctx.Err(), err}
	}
	return err
}

// puller is one pull from a registry.
type puller struct {
	s   *store.Store
	ref Reference
	o   *Options
	c   *client
	rep *reporter

	read     map[v1.Hash]document // what was fetched already
	unpacked *Budget              // what the layers may still grow to
}

// pull fetches everything, the name last.
func (p *puller) pull(ctx context.Context) error {
	w, err := p.plan(ctx)
	if err != nil {
		return err
	}
	p.unpacked = p.budget(w.layers)
	release, err := p.s.Begin(ctx) // from here on nobody collects what has no name yet
	if err != nil {
		return p.explain(ctx, "store", err)
	}
	defer release()
	if err := p.layers(ctx, w.layers); err != nil {
		return p.explain(ctx, "layer", err)
	}
	if w.stack != nil {
		if err := p.s.Cover(ctx, w.stack, *p.o.Layer); err != nil {
			return p.explain(ctx, "layer", err)
		}
	}
	return p.explain(ctx, "store", p.publish(ctx, w))
}

// budget is what the layers that are unpacked may grow to.
func (p *puller) budget(all []piece) *Budget {
	if p.o.unpacked > 0 {
		return NewBudget(p.o.unpacked)
	}
	var unpacked []v1.Descriptor
	for _, l := range all {
		if l.diffID != (v1.Hash{}) {
			unpacked = append(unpacked, l.desc)
		}
	}
	return BudgetFor(unpacked)
}

// publish stores the documents, and gives the name to the last.
func (p *puller) publish(ctx context.Context, w *work) error {
	for _, d := range w.documents {
		if err := p.putDocument(ctx, d); err != nil {
			return err
		}
	}
	top := w.top
	if err := p.s.Tag(ctx, p.ref.String(), top); err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	return nil
}

func (p *puller) explain(ctx context.Context, op string, err error) error {
	return explain(op, p.ref.String(), p.ref.Host(), ended(ctx, err))
}
