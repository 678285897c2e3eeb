package caisson

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/caisson-go/caisson/internal/archive"
	"github.com/caisson-go/caisson/internal/store"
)

// ArchiveFormat is the form of a file with images.
type ArchiveFormat string

// The formats. Engine.Load reads both, and tells them apart by itself.
const (
	DockerArchive ArchiveFormat = ""    // what docker save writes; it is an OCI archive too. "docker" is the same
	OCIArchive    ArchiveFormat = "oci" // an OCI image layout in a tar file
)

// What a caller has left out.
var (
	errNoReader = fmt.Errorf("nil Reader: %w", fs.ErrInvalid)
	errNoWriter = fmt.Errorf("nil Writer: %w", fs.ErrInvalid)
)

// SaveOptions refine Save. The zero value, and nil, are the defaults.
type SaveOptions struct {
	Format ArchiveFormat // empty: DockerArchive
}

// Save writes images, with their layers and names, as one file that Load, docker load, podman load, skopeo and the like
// read. An image is named as for Engine.Image; one that is asked for by digest has no name in the file. Of an
// index all the images are saved that are here. The bytes depend on the images alone, and their digests stay as they are.
//
// Every layer is verified while it is written. After an error what was written ends too early, which readers notice.
//
// Errors: *Error naming the image; fs.ErrNotExist if it is not here, or a layer of it for every one of its platforms;
// errors.ErrUnsupported for the ID of the host, a directory or a snapshot; fs.ErrInvalid if w is nil or nothing is named;
// the error of w; ctx.Err. Source: OCI image-spec, "Image Layout"; Docker image specification v1.2, "Combined Image
// JSON + Filesystem Changeset Format".
func (e *Engine) Save(ctx context.Context, w io.Writer, namesOrIDs []string, o *SaveOptions) error {
	if o == nil {
		o = &SaveOptions{}
	}
	formats := map[ArchiveFormat]archive.Format{DockerArchive: archive.DockerArchive, "docker": archive.DockerArchive, OCIArchive: archive.OCIArchive}
	format, known := formats[o.Format]
	if !known {
		return &Error{"save", string(o.Format), errors.New("unknown format"), "use DockerArchive or OCIArchive"}
	}
	if w == nil {
		return &Error{"save", "archive", errNoWriter, "give it a file"}
	}
	s, err := e.open(ctx, "save", "archive")
	if err != nil {
		return err
	}
	var names []string
	for _, n := range namesOrIDs {
		name, err := e.storeName("save", n)
		if err != nil {
			return imageError("save", n, err)
		}
		names = append(names, name)
	}
	return archiveError("save", archive.Save(ctx, w, s, names, archive.SaveOptions{Format: format}))
}

// NamePolicy says what becomes of the names that an archive has for its images.
type NamePolicy string

// The policies.
const (
	NewNames NamePolicy = ""     // those that no other image has here: a file does not redirect what is known already
	AllNames NamePolicy = "all"  // all; they are taken from the images that have them, as docker load does
	NoNames  NamePolicy = "none" // none; Image.Tag gives some
)

// LoadOptions refine Load. The zero value, and nil, are the defaults.
type LoadOptions struct {
	Names NamePolicy // empty: NewNames

	// Platform says which images of an index are unpacked, as in PullOptions. All are kept.
	Platform string

	// Kept is called with each name that the archive claims and that stays with another image. Nil: nobody wants to know.
	Kept func(name string)
}

// Load reads the images of a file that Save, docker save, podman save, skopeo and the like have written, plain or
// compressed with gzip, zstd or bzip2. It reads r to its end and never back: standard input is fine. An image that was
// saved and loaded has the same configuration and so the same ID with Docker; if the file was an OCI archive too, it
// has the same digests in all.
//
// Every byte is verified. The names come last: after an error no image has come. An image that was here already is
// returned like another.
//
// Errors: *Error naming the entry of the archive; fs.ErrNotExist for content that is missing in it; fs.ErrInvalid if r is
// nil; ctx.Err; the error of r.
func (e *Engine) Load(ctx context.Context, r io.Reader, o *LoadOptions) ([]*Image, error) {
	if o == nil {
		o = &LoadOptions{}
	}
	lo, err := o.options()
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, &Error{"load", "archive", errNoReader, "give it a file"}
	}
	layers := e.layerOptions()
	lo.Layer = &layers
	s, err := e.open(ctx, "load", "archive")
	if err != nil {
		return nil, err
	}
	loaded, err := archive.Load(ctx, r, s, lo)
	if err != nil {
		return nil, archiveError("load", err)
	}
	var images []*Image
	for _, l := range loaded {
		for _, name := range l.Kept {
			if o.Kept != nil {
				o.Kept(name)
			}
		}
		img, err := s.ResolvePlatform(l.Digest.String(), lo.Platform)
		if errors.Is(err, store.ErrPlatform) || errors.Is(err, store.ErrIncomplete) { // it has come all the same
			img, err = s.Find(l.Digest.String(), nil)
		}
		if err != nil {
			return images, imageError("load", l.Digest.String(), err)
		}
		e.log().Info("loaded", "image", img.Ref, "digest", img.Digest.String())
		img.Ref = ""
		if len(l.Names) > 0 {
			img.Ref = l.Names[0]
		}
		images = append(images, e.image(img))
	}
	return images, nil
}

func (o *LoadOptions) options() (lo archive.LoadOptions, err error) {
	policies := map[NamePolicy]archive.NamePolicy{NewNames: archive.NewNames, AllNames: archive.AllNames, NoNames: archive.NoNames}
	policy, known := policies[o.Names]
	if !known {
		return lo, &Error{"load", string(o.Names), errors.New("unknown policy for names"), "use NewNames, AllNames or NoNames"}
	}
	lo.Names = policy
	lo.Platform, err = parsePlatform(o.Platform)
	return lo, err
}
