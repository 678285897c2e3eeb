package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/imageconfig"
	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// ImportOptions are the options of ImportRootFS. The zero value is useful.
type ImportOptions struct {
	// Changes are instructions for the configuration, as docker import --change takes them; see imageconfig.Apply.
	Changes []string

	// Config is what the instructions change. Nil: an empty one.
	Config *v1.Config

	// Message is the comment in the image's history. "": "Imported from a tar file".
	Message string

	// Author of the image. "": none.
	Author string

	// Created is when the image was made. Zero: 1970-01-01, so that the same input gives the same image.
	Created time.Time

	// Platform that the image is for. Nil: Linux on the architecture of this program.
	Platform *v1.Platform

	// Layer says how the layer is unpacked. Nil: layer.Defaults.
	Layer *layer.Options
}

func (o ImportOptions) withDefaults() ImportOptions {
	if o.Message == "" {
		o.Message = "Imported from a tar file"
	}
	if o.Created.IsZero() {
		o.Created = time.Unix(0, 0)
	}
	if o.Platform == nil {
		o.Platform = store.Here()
	}
	if o.Layer == nil {
		d := layer.Defaults()
		o.Layer = &d
	}
	return o
}

// ImportRootFS makes an image of one layer from a tar file of a root file system, plain or compressed with gzip, zstd or
// bzip2, and gives it the name ref, taking it from the image that has it; with "" it gets none. When ctx ends, a Read of
// r that blocks is ended if r has a SetReadDeadline that works.
//
// The layer is stored as it came, except that there are no layers in bzip2: nothing is compressed here, so neither the
// time nor the digests depend on a compressor, and the same bytes and options give the same image everywhere.
//
// Errors: *Error around ErrFormat (no tar file), ErrCompression, ErrTooLarge, store.ErrName, *imageconfig.Error,
// *layer.Error, the error of r, ctx.Err(), the errno.
func ImportRootFS(ctx context.Context, r io.Reader, s *store.Store, ref string, o ImportOptions) (store.Image, error) {
	defer interruptRead(ctx, r)()
	img, err := importRootFS(ctx, r, s, ref, o.withDefaults())
	return img, finish(ctx, "import", err)
}

func importRootFS(ctx context.Context, r io.Reader, s *store.Store, ref string, o ImportOptions) (store.Image, error) {
	names, err := importNames(ref)
	if err != nil {
		return store.Image{}, err
	}
	var c v1.Config
	if o.Config != nil {
		c = *o.Config
	}
	if err := imageconfig.Apply(&c, o.Changes); err != nil {
		return store.Image{}, err
	}
	release, err := s.Begin(ctx)
	if err != nil {
		return store.Image{}, err
	}
	defer release()
	in, err := s.NewIntake(ctx)
	if err != nil {
		return store.Image{}, err
	}
	defer in.Close()
	l, err := takeLayer(ctx, in, r)
	if err != nil {
		return store.Image{}, err
	}
	if layer.Supported {
		open := func() (io.ReadCloser, error) {
			rc, err := in.Open(l.digest)
			if err != nil {
				return nil, err
			}
			return registry.Decompress(l.mediaType, rc)
		}
		if err := s.PutLayer(ctx, l.diffID, open, *o.Layer); err != nil {
			return store.Image{}, err
		}
	}
	if err := in.Publish(ctx, l.digest); err != nil {
		return store.Image{}, err
	}
	d, err := l.image(ctx, s, &c, &o)
	if err != nil {
		return store.Image{}, err
	}
	if err := s.Add(ctx, []store.Addition{{Desc: d, Names: names}}, true); err != nil {
		return store.Image{}, err
	}
	return s.Resolve(d.Digest.String())
}

// importNames is the one name, in full, or none.
func importNames(ref string) ([]string, error) {
	if ref == "" {
		return nil, nil
	}
	full, err := fullName(ref)
	if err != nil {
		return nil, err
	}
	if _, ok := digestIn(full); ok {
		return nil, fail(ref, fmt.Errorf("%w: %w", store.ErrName, fs.ErrInvalid), "name a tag; the digest is what comes of it")
	}
	return []string{full}, nil
}

// image stores the configuration and the manifest of an image with the layer alone.
func (l *taken) image(ctx context.Context, s *store.Store, c *v1.Config, o *ImportOptions) (v1.Descriptor, error) {
	created := v1.Time{Time: o.Created.UTC()}
	config, err := put(ctx, s, types.OCIConfigJSON, v1.ConfigFile{
		Architecture: o.Platform.Architecture, OS: o.Platform.OS, Variant: o.Platform.Variant,
		OSVersion: o.Platform.OSVersion, OSFeatures: o.Platform.OSFeatures,
		Author: o.Author, Created: created, Config: *c,
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{l.diffID}},
		History: []v1.History{{Created: created, Author: o.Author, Comment: o.Message}},
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := put(ctx, s, types.OCIManifestSchema1, manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: descriptor{config.MediaType, config.Digest.String(), config.Size},
		Layers: []descriptor{{l.mediaType, l.digest.String(), l.size}},
	})
	d.Platform = o.Platform
	return d, err
}

// put stores a document.
func put(ctx context.Context, s *store.Store, mt types.MediaType, v any) (v1.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mt, Digest: digestOf(b), Size: int64(len(b))}
	return d, s.PutBlob(ctx, d.Digest, d.Size, bytes.NewReader(b))
}
