package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// maxIndexes bounds the indexes that refer to indexes.
const maxIndexes = 3

// Pull makes the image that ref names available in the store, and gives it the full name of ref there. The image
// becomes visible when it is complete; what was fetched before an error is kept for the next time.
//
// Errors: *Error, see there; ctx.Err() when ctx ends.
func Pull(ctx context.Context, s *store.Store, ref string, o Options) (store.Image, error) {
	o = o.withDefaults()
	r, err := Parse(ref)
	if err != nil {
		return store.Image{}, err
	}
	if o.Policy != Always {
		img, err := local(s, r, &o)
		if err == nil || o.Policy == Never || !errors.Is(err, errFetch) {
			return img, err
		}
	}
	if err := fetch(ctx, s, r, &o); err != nil {
		return store.Image{}, err
	}
	img, err := s.Resolve(r.String())
	if err != nil {
		return store.Image{}, &Error{Op: "store", Ref: r.String(), Err: err}
	}
	return img, nil
}

// errFetch marks what asking the registry can mend.
var errFetch = errors.New("to be fetched")

// local looks for the image in the store.
func local(s *store.Store, r Reference, o *Options) (store.Image, error) {
	img, err := s.Resolve(r.String())
	if err == nil {
		err = fits(&img.Config, *o.Platform)
	}
	if err == nil {
		return img, nil
	}
	e := &Error{Op: "resolve", Ref: r.String(), Err: err}
	mend := errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrPlatform) ||
		errors.Is(err, store.ErrDigest) || errors.Is(err, store.ErrDocument)
	switch {
	case o.Policy == Never:
		e.Hint = "the policy is Never; pull the image first"
	case mend:
		e.Err = &classError{errFetch, err}
	}
	return store.Image{}, e
}

// fetch gets the image from the registry.
func fetch(ctx context.Context, s *store.Store, r Reference, o *Options) error {
	p, done, err := newPuller(ctx, s, r, o)
	if err != nil {
		return explain("connect", r.String(), r.Host(), ended(ctx, err))
	}
	defer done()
	return p.pull(ctx)
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

	unpacked budget // what the layers may still grow to
}

func newPuller(ctx context.Context, s *store.Store, r Reference, o *Options) (*puller, func(), error) {
	repo := r.ref.Context()
	if contains(o.Insecure, repo.RegistryStr()) {
		reg, err := name.NewRegistry(repo.RegistryStr(), name.Insecure) // makes the client try plain HTTP too
		if err != nil {
			return nil, nil, err
		}
		repo = reg.Repo(repo.RepositoryStr())
	}
	g, done := newGuard(o)
	base := transport.NewUserAgent(&retry{g, o.retryPause}, "caisson")
	c, err := newClient(ctx, repo, o, base)
	if err != nil {
		done()
		return nil, nil, err
	}
	p := &puller{s: s, ref: r, o: o, c: c}
	p.unpacked.Store(o.unpacked)
	return p, done, nil
}

// pull fetches everything, the name last.
func (p *puller) pull(ctx context.Context) error {
	raw, desc, err := p.image(ctx)
	if err != nil {
		return p.explain(ctx, "manifest", err)
	}
	m, err := store.DecodeManifest(raw, desc.MediaType)
	if err != nil {
		return p.explain(ctx, "manifest", err)
	}
	c, err := p.config(ctx, m)
	if err != nil {
		return p.explain(ctx, "config", err)
	}
	if err := p.layers(ctx, m, c); err != nil {
		return p.explain(ctx, "layer", err)
	}
	p.mend(ctx, desc)
	if err := p.s.PutBlob(ctx, desc.Digest, desc.Size, bytes.NewReader(raw)); err != nil {
		return p.explain(ctx, "store", err)
	}
	desc.Platform = c.Platform()
	return p.explain(ctx, "store", p.s.Tag(ctx, p.ref.String(), desc))
}

func (p *puller) explain(ctx context.Context, op string, err error) error {
	return explain(op, p.ref.String(), p.ref.Host(), ended(ctx, err))
}

// image fetches the manifest of the image for the platform, through an index if there is one.
func (p *puller) image(ctx context.Context) ([]byte, v1.Descriptor, error) {
	id, expect := p.ref.ref.Identifier(), v1.Descriptor{}
	for range maxIndexes {
		raw, desc, err := p.document(ctx, id, expect)
		if err != nil || !desc.MediaType.IsIndex() {
			return raw, desc, err
		}
		index, err := store.DecodeIndex(raw, desc.MediaType)
		if err != nil {
			return nil, desc, err
		}
		if expect, err = choose(index, *p.o.Platform); err != nil {
			return nil, desc, err
		}
		id = expect.Digest.String()
	}
	return nil, v1.Descriptor{}, fmt.Errorf("%w: indexes nested deeper than %d", store.ErrDocument, maxIndexes)
}

// document fetches a manifest or index. What it is asked for by digest must have that digest, and a descriptor that led
// here must agree with it in everything else.
func (p *puller) document(ctx context.Context, id string, expect v1.Descriptor) ([]byte, v1.Descriptor, error) {
	raw, header, err := p.c.manifest(ctx, id)
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	if want, err := v1.NewHash(id); err == nil {
		if got, err := hashOf(want.Algorithm, raw); err != nil || got != want {
			return nil, v1.Descriptor{}, errors.Join(store.ErrDigest, err)
		}
	}
	digest, err := hashOf("sha256", raw)
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	desc := v1.Descriptor{MediaType: mediaType(header, raw), Digest: digest, Size: int64(len(raw))}
	switch {
	case expect.MediaType == "": // named by the reference
	case desc.Size != expect.Size:
		err = store.ErrSize
	case desc.MediaType != expect.MediaType:
		err = fmt.Errorf("%w: it came as %.100q, but the index calls it %.100q", store.ErrDocument, desc.MediaType, expect.MediaType)
	}
	return raw, desc, err
}

func hashOf(algorithm string, b []byte) (v1.Hash, error) {
	h, err := v1.Hasher(algorithm)
	if err != nil {
		return v1.Hash{}, err
	}
	h.Write(b)
	return v1.Hash{Algorithm: algorithm, Hex: hex.EncodeToString(h.Sum(nil))}, nil
}

// mediaType reads a Content-Type. Servers of plain files say text or bytes for everything; only then does the document
// speak for itself.
func mediaType(header string, raw []byte) types.MediaType {
	mt, _, err := mime.ParseMediaType(header)
	switch {
	case err != nil, mt == "application/octet-stream", mt == "text/plain", mt == "application/json":
		var own struct {
			MediaType types.MediaType `json:"mediaType"`
		}
		_ = json.Unmarshal(raw, &own) // a malformed one is reported when it is decoded
		return own.MediaType
	}
	return types.MediaType(mt)
}

// config fetches the configuration.
func (p *puller) config(ctx context.Context, m *v1.Manifest) (*v1.ConfigFile, error) {
	p.mend(ctx, m.Config)
	if err := p.blob(ctx, m.Config); err != nil {
		return nil, err
	}
	rc, err := p.s.Blob(m.Config.Digest)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, store.MaxDocument+1))
	if err != nil {
		return nil, err
	}
	c, err := store.DecodeConfig(b, len(m.Layers))
	if err != nil {
		return nil, err
	}
	return c, fits(c, *p.o.Platform)
}

// mend removes a document from the store that was damaged there, so that it is written anew.
func (p *puller) mend(ctx context.Context, d v1.Descriptor) {
	if p.s.HasBlob(d.Digest, d.Size) {
		_ = p.s.CheckBlob(ctx, d.Digest) // what else may be wrong is met again in a moment
	}
}

// blob fetches a blob by digest from the registry of the reference, and from nowhere else, unless the store has it.
func (p *puller) blob(ctx context.Context, d v1.Descriptor) error {
	if p.s.HasBlob(d.Digest, d.Size) {
		return nil
	}
	for try := 1; ; try++ {
		err := p.fetch(ctx, d)
		if err == nil || try == maxTries || !passing(nil, err) && !errors.Is(err, ErrStalled) {
			return err
		}
		if err := sleep(ctx, p.o.retryPause<<(try-1)); err != nil {
			return err
		}
	}
}

func (p *puller) fetch(ctx context.Context, d v1.Descriptor) error {
	rc, err := p.c.blob(ctx, d)
	if err != nil {
		return err
	}
	defer rc.Close()
	return p.s.PutBlob(ctx, d.Digest, d.Size, rc)
}
