package caisson

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/archive"
	"github.com/caisson-go/caisson/internal/v1image"
)

// FS is the image's files, read from its layers as they are packed: nothing is unpacked, and it works without Linux. Links
// are followed within the image. Besides fs.FS it implements fs.ReadDirFS, fs.StatFS, fs.ReadFileFS and fs.ReadLinkFS; the
// Sys of a file's fs.FileInfo is its *tar.Header, with owner and attributes. The first use reads every layer once. It may be
// used from several goroutines, as long as the image is not removed.
//
// Of Engine.RootFS it is the directory, in which links that lead out are errors. For Engine.Host and snapshots, of
// which there is no packed form, every call fails with errors.ErrUnsupported.
func (i *Image) FS() fs.FS {
	if dir, ok := directory(i.id); ok {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return failingFS{err}
		}
		return root.FS()
	}
	if i.stored == nil {
		return failingFS{&Error{"open", i.String(), errNotStored, "run a container of it, or commit one"}}
	}
	s, err := i.engine.images()
	if err != nil {
		return failingFS{err}
	}
	files, err := v1image.FS(s, i.stored.Digest, nil)
	if err != nil {
		return failingFS{imageError("open", i.String(), err)}
	}
	return files
}

// failingFS has no files, for a reason.
type failingFS struct{ err error }

func (f failingFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
}

// V1 is the image as go-containerregistry has it, for that library and all that build on it: the manifest and the
// configuration byte for byte, the layers from the store. The image must stay in the store meanwhile.
//
// Errors: *Error; fs.ErrNotExist if it has been removed; errors.ErrUnsupported for an image that is not in the store.
func (i *Image) V1() (v1.Image, error) {
	if i.stored == nil {
		return nil, &Error{"open", i.String(), errNotStored, "Engine.Pull, Engine.Load and Container.Commit make one"}
	}
	s, err := i.engine.images()
	if err != nil {
		return nil, err
	}
	img, err := v1image.View(s, i.stored.Digest)
	return img, imageError("open", i.String(), err)
}

// Import makes an image of go-containerregistry one of the engine, under a name, which is taken from the image that had it.
// Everything is verified as if it had come from a registry; the manifest and the configuration stay as they are.
//
// Errors: *Error naming the reference; fs.ErrInvalid for a nil image; ctx.Err; those of the image.
func (e *Engine) Import(ctx context.Context, img v1.Image, ref string) (*Image, error) {
	name, err := fullName("import", ref)
	if err != nil {
		return nil, err
	}
	if img == nil {
		return nil, &Error{"import", ref, fmt.Errorf("nil image: %w", fs.ErrInvalid), "Image.V1 and go-containerregistry make one"}
	}
	s, err := e.open(ctx, "import", ref)
	if err != nil {
		return nil, err
	}
	lo := e.layerOptions()
	digest, err := v1image.Import(ctx, s, img, ref, &lo)
	if err != nil {
		return nil, imageError("import", ref, err)
	}
	made, err := e.resolve(ref, digest.String(), "import it again")
	if err == nil {
		made.ref = name
	}
	return made, err
}

// ImportOptions refine ImportRootFS. The zero value, and nil, are the defaults.
type ImportOptions struct {
	// Changes are instructions for the settings, as in CommitOptions.
	Changes []string

	Author  string // whose work it is; empty: nobody is named
	Message string // a comment for the image's history; empty: a general one

	// Created is when the image was made. Zero: 1970, so that the same archive gives the same image everywhere.
	Created time.Time

	// Platform is the one that the image is for, as in PullOptions.
	Platform string
}

// ImportRootFS makes an image of one layer from a tar archive of a root filesystem, as docker import does: plain, or
// compressed with gzip, zstd or bzip2. Its name is taken from the image that had it; an empty one gives none.
//
// Errors: *Error; fs.ErrInvalid if r is nil; ctx.Err; the error of r.
func (e *Engine) ImportRootFS(ctx context.Context, r io.Reader, ref string, o *ImportOptions) (*Image, error) {
	if o == nil {
		o = &ImportOptions{}
	}
	name := ""
	if ref != "" {
		var err error
		if name, err = tagName("import", ref); err != nil {
			return nil, err
		}
	}
	if r == nil {
		return nil, &Error{"import", "archive", errNoReader, "give it a file"}
	}
	s, err := e.open(ctx, "import", "archive")
	if err != nil {
		return nil, err
	}
	lo := e.layerOptions()
	ao := archive.ImportOptions{Changes: o.Changes, Author: o.Author, Message: o.Message, Created: o.Created, Layer: &lo}
	if ao.Platform, err = parsePlatform(o.Platform); err != nil {
		return nil, err
	}
	img, err := archive.ImportRootFS(ctx, r, s, name, ao)
	if err != nil {
		return nil, archiveError("import", err)
	}
	return e.image(img), nil
}

// Export writes the image's files as one tar archive, its layers merged, without unpacking anything. Directories with files
// come a second time at the end, with the time that making the files has changed for whoever extracts the archive.
//
// Errors: *Error; fs.ErrNotExist if it has been removed; errors.ErrUnsupported for an image that is not in the store;
// fs.ErrInvalid if w is nil; the error of w; ctx.Err.
func (i *Image) Export(ctx context.Context, w io.Writer) error {
	if w == nil {
		return &Error{"export", i.String(), errNoWriter, "give it a file"}
	}
	now, err := i.current(ctx, "export")
	if err != nil {
		return err
	}
	s, err := i.engine.images()
	if err != nil {
		return err
	}
	return archiveError("export", archive.Flatten(ctx, w, s, now.stored.Digest))
}
