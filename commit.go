package caisson

import (
	"context"
	"time"
)

// CommitOptions refine Commit. The zero value, and nil, are the defaults.
type CommitOptions struct {
	Author  string // whose work it is, for the image and this step; empty: nobody is named
	Message string // a comment for the image's history; empty: none

	// Created is when the image was made, in it and in its history. Zero: now. With a time of the caller's the same files
	// and settings give the same image, with the same ID, each time.
	Created time.Time

	// Changes are instructions that change the image's settings, written as in a Dockerfile: CMD, ENTRYPOINT, ENV,
	// EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
	Changes []string

	// Live lets the container's processes go on meanwhile. What they write may then be missing, or there by half.
	Live bool
}

// Commit makes an image of the container: the layers of its image, a layer with what it has changed, and the settings of
// its image with Changes. Those of the Spec, and what is in mounts, do not go into it. The image has the name ref, which is
// taken from the image that had it, or none if that is empty. A container that runs stands still meanwhile, as for
// Snapshot.
//
// Of Engine.RootFS the directory becomes the first layer. What a container of a Snapshot was started from becomes a layer
// too. Sockets are left out.
//
// Errors: *Error; errors.ErrUnsupported for Engine.Host, whose writable layer is in memory; ErrNotStarted; ErrClosed;
// ctx.Err. Source: OCI image-spec, layer.md, config.md.
func (c *Container) Commit(ctx context.Context, ref string, o *CommitOptions) (*Image, error) {
	if o == nil {
		o = &CommitOptions{}
	}
	name := ""
	if ref != "" {
		var err error
		if name, err = tagName("commit", ref); err != nil {
			return nil, err
		}
	}
	l, err := c.life.running()
	if err != nil {
		return nil, c.failed("commit", err)
	}
	img, err := l.commit(ctx, name, o)
	object := ref
	if ref == "" {
		object = c.object()
	}
	return img, imageError("commit", object, err)
}
