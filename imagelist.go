package caisson

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// Images lists the images of the engine, one for each name and each image without a name, in the order in which they
// came to be. Of an index for several platforms it is the image for this machine or, if that is not here, the first
// that is. One that cannot be read is yielded as an error, and the list goes on.
//
// Errors: *Error; ctx.Err.
func (e *Engine) Images(ctx context.Context) iter.Seq2[*Image, error] {
	return func(yield func(*Image, error) bool) {
		s, err := e.open(ctx, "list", "images")
		if err != nil {
			yield(nil, err)
			return
		}
		for img, err := range s.Images() {
			if err := checkDone(ctx, "list", "images"); err != nil {
				yield(nil, err)
				return
			}
			if err != nil {
				if !yield(nil, imageError("list", listed(&img), err)) {
					return
				}
			} else if !yield(e.image(img), nil) {
				return
			}
		}
	}
}

// listed is what an image that cannot be read is called.
func listed(img *store.Image) string {
	switch {
	case img.Ref != "":
		return img.Ref
	case img.Digest != (v1.Hash{}):
		return img.Digest.String()
	}
	return "images"
}

// Tag gives the image a further name, a reference as for Pull, and takes that from the image that had it.
//
// Errors: *Error naming the reference; fs.ErrNotExist if the image has been removed; errors.ErrUnsupported for an image
// that is not in the store; ctx.Err. Source: OCI image-spec, "Image Layout", org.opencontainers.image.ref.name.
func (i *Image) Tag(ctx context.Context, ref string) error {
	name, err := tagName("tag", ref)
	if err != nil {
		return err
	}
	now, err := i.current(ctx, "tag")
	if err != nil {
		return err
	}
	s, err := i.engine.images()
	if err != nil {
		return err
	}
	return imageError("tag", ref, s.Tag(ctx, name, now.stored.Descriptor))
}

// Untag takes a name from an image. One that had no other stays, without a name, until RemoveImage or PruneImages, unless it
// belongs to an index that stays.
//
// Errors: *Error; fs.ErrNotExist if no image has the name; errors.ErrUnsupported for the ID of the host, a directory or a
// snapshot; ctx.Err.
func (e *Engine) Untag(ctx context.Context, ref string) error {
	name, err := fullName("untag", ref)
	if err != nil {
		return err
	}
	s, err := e.open(ctx, "untag", ref)
	if err != nil {
		return err
	}
	err = s.Untag(ctx, name)
	if beginsDigest(ref) && errors.Is(err, fs.ErrNotExist) {
		return &Error{"untag", ref, notStored{}, "a name can be taken away, and a digest cannot; Engine.RemoveImage removes the image"}
	}
	return imageError("untag", ref, err)
}

// RemoveImageOptions refine RemoveImage. The zero value, and nil, are the defaults.
type RemoveImageOptions struct {
	// Force removes an image that is named by its digest with all its names.
	Force bool
}

// Removed is what is gone after a removal.
type Removed struct {
	Untagged []string // names
	Deleted  []string // digests, of manifests, configurations and layers
	Freed    int64    // bytes: of blobs, and of the files in unpacked layers
}

// RemoveImage removes an image as docker image rm does. A name is taken from an image that has other names too; with
// the last one the image goes, and everything of it that no other image has. A digest, of the manifest or of the
// configuration, or the beginning of one, stands for an image with all its names; if these are several it takes Force.
//
// Errors: *Error; fs.ErrNotExist if there is no such image; ErrInUse while a container uses it or a Snapshot stands on
// it and no other name is left, Force or not; errors.ErrUnsupported for the ID of the host, a directory or a snapshot
// (Snapshot.Remove); ctx.Err.
func (e *Engine) RemoveImage(ctx context.Context, nameOrID string, o *RemoveImageOptions) (*Removed, error) {
	if o == nil {
		o = &RemoveImageOptions{}
	}
	s, err := e.open(ctx, "remove", nameOrID)
	if err != nil {
		return nil, err
	}
	name, err := e.storeName("remove", nameOrID)
	if err != nil {
		return nil, imageError("remove", nameOrID, err)
	}
	r, err := s.Remove(ctx, name, store.RemoveOptions{Force: o.Force})
	return removed(r), imageError("remove", nameOrID, err)
}

// PruneImagesOptions say what PruneImages removes. The zero value, and nil, stand for images without a name.
type PruneImagesOptions struct {
	// All stands for every image that no container uses, named or not.
	All bool

	// Before keeps the images whose configuration tells this time of creation or a later one. Zero: none is kept for
	// its age.
	Before time.Time

	// Labels keeps the images that lack one of these, Without those that have one; "key" or "key=value".
	Labels, Without []string
}

// PruneImages removes images that are not in use, and whatever no image refers to: layers, blobs, the leavings of
// programs that were killed. It works on a disk that is full.
//
// Errors: *Error; ctx.Err. What was removed before is returned with them.
func (e *Engine) PruneImages(ctx context.Context, o *PruneImagesOptions) (*Removed, error) {
	if o == nil {
		o = &PruneImagesOptions{}
	}
	s, err := e.open(ctx, "prune", "images")
	if err != nil {
		return nil, err
	}
	r, err := s.Prune(ctx, store.PruneOptions{All: o.All, Until: o.Before, Labels: o.Labels, WithoutLabels: o.Without})
	return removed(r), imageError("prune", "images", err)
}

func removed(r store.Removed) *Removed {
	out := &Removed{Untagged: r.Untagged, Freed: r.Bytes}
	for _, list := range [][]v1.Hash{r.Blobs, r.Layers} {
		for _, h := range list {
			out.Deleted = append(out.Deleted, h.String())
		}
	}
	return out
}

// storeName is what the store calls an image: a full reference, or a digest or its beginning as it is given. What can
// be read as both is a name if there is an image of that name.
func (e *Engine) storeName(op, nameOrID string) (string, error) {
	if err := checkOwnForm(op, nameOrID); err != nil {
		return "", err
	}
	r, err := registry.Parse(nameOrID)
	if !beginsDigest(nameOrID) {
		if err != nil {
			return "", err
		}
		return r.String(), nil
	}
	if err == nil {
		if s, err := e.images(); err == nil {
			if _, err := s.Find(r.String(), nil); err == nil {
				return r.String(), nil
			}
		}
	}
	return nameOrID, nil
}

// beginsDigest tells whether a name is a digest, or may be the beginning of one: four hexadecimal digits or more.
func beginsDigest(name string) bool {
	hex := strings.TrimPrefix(name, "sha256:")
	return len(hex) >= 4 && len(hex) <= 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
