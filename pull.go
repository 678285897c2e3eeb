package caisson

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// PullPolicy says when a registry is asked for an image.
type PullPolicy string

// The policies, named as in Kubernetes. "missing" is PullMissing too.
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

	// AllPlatforms gets the images for every platform, so that Image.Push and Engine.Save have them all. Only the
	// one for Platform is unpacked. The name then stands for the index of them, also after a pull without AllPlatforms
	// for as long as the registry has that index under the name.
	AllPlatforms bool

	// Jobs is how many layers are worked on at once. Zero: 3.
	Jobs int

	// Progress is called with what happens to each part of the image, on one goroutine at a time: with every change of
	// its phase, and ten times a second at most beside that. It holds up no transfer. The last call has returned
	// when Pull does. Nil: nobody wants to know.
	Progress func(Progress)
}

// Pull makes an image of a registry available and returns it. References are Docker's:
// "alpine" is "docker.io/library/alpine:latest"; a digest, "name@sha256:...", pins the content. Every
// byte is verified against the digest that names it before it can be seen. The credentials are those of
// Engine.Keychain. Two pulls of one image at once, by whichever programs, fetch it once.
//
// Layers are fetched and unpacked at the same time. What breaks off goes on where it was; a request is tried five times,
// with pauses that grow, or as long as the registry asks for. What is here is not fetched again: with PullAlways
// an image that has not changed costs one request.
//
// When it returns, the packed image is on the disk for good. The unpacked layers are written out by the kernel in its own
// time; those that a power cut loses are unpacked again when a container starts.
//
// A layer of more than 64 GiB is refused, as are layers of more than 128 GiB together, or 256 GiB when they are
// unpacked. An answer of which nothing comes for 30 seconds is given up, and so is one of less than 1 KiB a second
// over a minute.
//
// What it returns is unpacked, and starts at once. An image that is here but only packed, because it was pushed to a
// RegistryHandler or came for another platform, is unpacked, and no registry is asked, unless Policy is PullAlways.
//
// Errors: *Error naming the reference; fs.ErrNotExist for what the registry, or with PullNever the
// engine, does not have; fs.ErrPermission where credentials are missing or refused; errors.ErrUnsupported for the ID of
// the host, a directory or a snapshot; ctx.Err.
// Source: OCI distribution-spec, "Pulling manifests"; OCI image-spec.
func (e *Engine) Pull(ctx context.Context, ref string, o *PullOptions) (*Image, error) {
	if o == nil {
		o = &PullOptions{}
	}
	if err := checkOwnForm("pull", ref); err != nil {
		return nil, err
	}
	ro, err := e.pullOptions(o)
	if err != nil {
		return nil, err
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

// Image is an image that the engine has, by its reference, by its ID or the digest of its configuration, which is what
// Docker calls the ID, or by the beginning of one of these, four hexadecimal digits at least. No registry is asked.
//
// Errors: *Error; fs.ErrNotExist if there is none; ctx.Err. Source: OCI image-spec, "Image Layout".
func (e *Engine) Image(ctx context.Context, ref string) (*Image, error) {
	if err := checkDone(ctx, "image", ref); err != nil {
		return nil, err
	}
	if ref == hostImage {
		return e.Host(), nil
	}
	if dir, ok := directory(ref); ok {
		return e.RootFS(dir)
	}
	if id, ok := strings.CutPrefix(ref, snapshotImage); ok {
		s, err := e.Snapshot(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.Image(), nil
	}
	name, err := e.storeName("image", ref)
	if err != nil {
		return nil, imageError("image", ref, err)
	}
	return e.resolve(ref, name, "Engine.Pull gets it")
}

func (e *Engine) pullOptions(o *PullOptions) (registry.Options, error) {
	policies := map[PullPolicy]registry.Policy{
		PullMissing: registry.Missing, "missing": registry.Missing, PullAlways: registry.Always, PullNever: registry.Never,
	}
	policy, known := policies[o.Policy]
	if !known {
		return registry.Options{}, &Error{"pull", string(o.Policy), errors.New("unknown policy"), "use PullMissing, PullAlways or PullNever"}
	}
	ro := e.registryClient(o.Progress)
	ro.Policy, ro.AllPlatforms, ro.Jobs = policy, o.AllPlatforms, o.Jobs
	layers := e.layerOptions()
	ro.Layer = &layers
	var err error
	ro.Platform, err = parsePlatform(o.Platform)
	return ro, err
}

// registryClient is how this engine speaks to registries.
func (e *Engine) registryClient(progress func(Progress)) registry.Options {
	o := registry.Options{
		Insecure: e.Insecure, Keychain: e.Keychain, Mirrors: e.Mirrors, TokenHosts: e.TokenHosts, Offline: e.Offline,
		Breaker: &e.state.breaker,
	}
	if progress != nil {
		o.Progress = func(p registry.Progress) {
			progress(Progress{p.Ref, p.Digest.String(), Phase(p.Phase), p.Bytes, p.Total})
		}
	}
	return o
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
	s, err := store.OpenWith(dir, store.Options{RemoveAll: e.removeLayer, Holds: e.standsOn})
	if err != nil {
		return nil, &Error{"open", dir, err, "set Engine.Dir to a directory that you may write to"}
	}
	st.store = s
	return s, nil
}

// open is images for a call of a context, which may be done already, with its step and object.
func (e *Engine) open(ctx context.Context, op, object string) (*store.Store, error) {
	if err := checkDone(ctx, op, object); err != nil {
		return nil, err
	}
	return e.images()
}

// stored is an image of the store by its ID, the digest of its manifest.
func (e *Engine) stored(id string) (*Image, error) {
	hint := "Engine.Pull gets it"
	if _, err := v1.NewHash(id); err != nil {
		hint = "an ID is wanted: Image.ID of what Engine.Image or Engine.Pull returns"
	}
	return e.resolve(id, id, hint)
}

// resolve finds an image in the store. In messages it is as the caller has named it.
func (e *Engine) resolve(shown, name, hint string) (*Image, error) {
	s, err := e.images()
	if err != nil {
		return nil, err
	}
	img, err := s.Resolve(name)
	if errors.Is(err, store.ErrIncomplete) { // Start unpacks it
		img, err = s.Find(name, nil)
	}
	if err == nil {
		if img.Ref = name; beginsDigest(name) {
			img.Ref = ""
		}
		return e.image(img), nil
	}
	own, err := imageCause(err)
	if own != "" {
		hint = own
	}
	return nil, &Error{"image", cmp.Or(shown, "image"), err, hint}
}

// image is the public handle of a stored image.
func (e *Engine) image(img store.Image) *Image {
	c := &img.Config.Config
	return &Image{
		engine: e, id: img.Digest.String(), ref: img.Ref, layers: img.Layers, stored: &img,
		config: imageConfig{
			Args: slices.Concat(c.Entrypoint, c.Cmd), entrypoint: c.Entrypoint,
			Env: c.Env, Dir: c.WorkingDir, User: c.User, StopSignal: c.StopSignal,
		},
	}
}
