package caisson

import (
	"context"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
)

// PushOptions refine a push. The zero value, and nil, are the defaults.
type PushOptions struct {
	// AllPlatforms pushes the index that the image was pulled by, or loaded with, and the images in it, which must all
	// be here: see PullOptions.AllPlatforms.
	AllPlatforms bool

	// Jobs is how many layers are sent at once. Zero: 3.
	Jobs int

	// Progress is called as in PullOptions.
	Progress func(Progress)
}

var errNoIndex = errors.New("its name points to an image and not to an index for several platforms")

// Push sends the image to a registry, and gives it the name ref there; empty stands for its own. The manifest is sent byte
// for byte as it is stored, so that the digest stays. What the registry has is not sent, and what another of
// its repositories has, as far as the names of this engine's images tell, it is asked to take from there. A push
// of what is there already costs one request.
//
// Errors: *Error naming the reference; fs.ErrPermission where credentials are missing or refused; fs.ErrNotExist if the
// image has been removed; errors.ErrUnsupported for an image that is not in the store; ctx.Err.
// Source: OCI distribution-spec, "Pushing manifests".
func (i *Image) Push(ctx context.Context, ref string, o *PushOptions) error {
	if o == nil {
		o = &PushOptions{}
	}
	now, err := i.current(ctx, "push")
	if err != nil {
		return err
	}
	if ref == "" {
		ref = i.ref
	}
	if err := checkOwnForm("push", ref); err != nil {
		return err
	}
	s, err := i.engine.images()
	if err != nil {
		return err
	}
	what := now.id
	if o.AllPlatforms {
		if now.stored.Index == (v1.Hash{}) {
			return &Error{"push", i.String(), errNoIndex, "pull it with AllPlatforms, or push it without"}
		}
		what = now.stored.Index.String()
	}
	if ref == "" {
		return &Error{"push", i.id, errors.New("the image has no name"), "give a reference"}
	}
	ro := i.engine.registryClient(o.Progress)
	ro.Jobs = o.Jobs
	d, err := registry.Push(ctx, s, what, ref, ro)
	if err != nil {
		return imageError("push", ref, err)
	}
	i.engine.log().Info("pushed", "image", ref, "digest", d.Digest.String())
	return nil
}
