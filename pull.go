package caisson

import (
	"context"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// PullPolicy says when a registry is asked for an image.
type PullPolicy string

// The policies, named as in Kubernetes.
const (
	PullMissing PullPolicy = ""       // only for an image that the engine does not have
	PullAlways  PullPolicy = "always" // always; what is here already is not fetched again
	PullNever   PullPolicy = "never"  // never
)

// PullOptions refine a pull. The zero value, and nil, are the defaults.
type PullOptions struct {
	// Policy says when the registry is asked. Empty: for what is missing.
	Policy PullPolicy

	// Platform chooses from an image for several, as "linux/arm64" or "linux/arm/v7". Empty: Linux on
	// this program's architecture.
	Platform string
}

// Pull makes an image of a registry available and returns it. References are Docker's:
// "alpine" is "docker.io/library/alpine:latest"; a digest, "name@sha256:...", pins the content. Every
// byte is verified against the digest that names it before it can be seen. The credentials are those of
// Engine.Keychain.
//
// Errors: *Error naming the reference; fs.ErrNotExist for what the registry, or with PullNever the
// engine, does not have; fs.ErrPermission where credentials are missing or refused; ctx.Err.
func (e *Engine) Pull(ctx context.Context, ref string, o *PullOptions) (*Image, error) {
	if o == nil {
		o = &PullOptions{}
	}
	ro, err := e.registryOptions(o)
	if err != nil {
		return nil, &Error{"pull", ref, err, ""}
	}
	s, err := e.images()
	if err != nil {
		return nil, err
	}
	img, err := registry.Pull(ctx, s, ref, ro)
	if err != nil {
		return nil, pullError(ref, err)
	}
	e.log().Info("pulled", "image", img.Ref, "digest", img.Digest.String())
	return e.image(img), nil
}

// Image is an image that the engine has, by its reference or its ID.
//
// Errors: *Error; fs.ErrNotExist if there is none.
func (e *Engine) Image(ctx context.Context, ref string) (*Image, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ref == hostImage {
		return e.Host(), nil
	}
	if dir, ok := directory(ref); ok {
		return e.RootFS(dir)
	}
	if _, err := v1.NewHash(ref); err == nil {
		return e.stored(ref)
	}
	return e.Pull(ctx, ref, &PullOptions{Policy: PullNever})
}

func (e *Engine) registryOptions(o *PullOptions) (registry.Options, error) {
	policies := map[PullPolicy]registry.Policy{
		PullMissing: registry.Missing, "missing": registry.Missing, PullAlways: registry.Always, PullNever: registry.Never,
	}
	policy, known := policies[o.Policy]
	if !known {
		return registry.Options{}, fmt.Errorf("unknown policy %q", o.Policy)
	}
	ro := registry.Options{Policy: policy, Insecure: e.Insecure, Keychain: e.Keychain}
	if o.Platform != "" {
		p, err := v1.ParsePlatform(o.Platform)
		if err != nil {
			return registry.Options{}, err
		}
		ro.Platform = p
	}
	return ro, nil
}

// pullError is the public form of a registry's error.
func pullError(ref string, err error) error {
	var r *registry.Error
	if errors.As(err, &r) {
		return &Error{"pull", r.Ref, r.Err, r.Hint}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{"pull", ref, err, ""}
}

// images is the engine's store, opened once. Nothing is written before there is something to keep.
func (e *Engine) images() (*store.Store, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	st := &e.state
	st.opening.Lock()
	defer st.opening.Unlock()
	if st.store != nil {
		return st.store, nil
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, &Error{"open", dir, err, "set Engine.Dir to a directory that you may write to"}
	}
	st.store = s
	return s, nil
}

// stored is an image of the store by its ID, the digest of its manifest.
func (e *Engine) stored(id string) (*Image, error) {
	s, err := e.images()
	if err != nil {
		return nil, err
	}
	img, err := s.Resolve(id)
	if err != nil {
		return nil, &Error{"open", "image " + id, err, "pull it first"}
	}
	return e.image(img), nil
}

// image is the public handle of a stored image.
func (e *Engine) image(img store.Image) *Image {
	c := &img.Config.Config
	return &Image{
		engine: e, id: img.Digest.String(), ref: img.Ref, layers: img.Layers,
		config: imageConfig{
			Args: slices.Concat(c.Entrypoint, c.Cmd), entrypoint: c.Entrypoint,
			Env: c.Env, Dir: c.WorkingDir, User: c.User, StopSignal: c.StopSignal,
		},
	}
}
