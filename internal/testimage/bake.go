package testimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation that names an image of a layout; OCI image-spec, annotations.md.
const refName = "org.opencontainers.image.ref.name"

// baker makes one image, with all its tags, in a directory.
type baker struct {
	recipe
	cache string // of packages, and of the minimal Debian
	dir   string
	blobs blobs
	tags  map[string][]v1.Descriptor // one for each platform
}

// bake makes the image in an empty directory.
func (b *baker) bake(ctx context.Context) error {
	b.blobs = blobs{filepath.Join(b.dir, "blobs", "sha256")}
	b.tags = map[string][]v1.Descriptor{}
	for _, d := range []string{b.blobs.dir, filepath.Join(b.dir, tarsDir)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for _, p := range b.platforms {
		if err := b.platform(ctx, p); err != nil {
			return err
		}
	}
	return b.finish()
}

// platform makes the image for one platform under each tag.
func (b *baker) platform(ctx context.Context, p platform) error {
	tars := make([]string, len(b.layers))
	for i, s := range b.layers {
		name := fmt.Sprintf("%02d.tar", i)
		if p.debian != "" {
			name = p.debian + "-" + name
		}
		tars[i] = filepath.Join(b.dir, tarsDir, name)
		if err := b.layer(ctx, p, s, tars[i]); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	done := map[string][]v1.Descriptor{}
	for _, v := range b.variants {
		layers := done[v.compression]
		if layers == nil {
			var err error
			if layers, err = b.compress(tars, v.compression); err != nil {
				return err
			}
			done[v.compression] = layers
		}
		if err := b.document(p, v, tars, layers); err != nil {
			return err
		}
	}
	return nil
}

// layer writes the plain tar of one layer.
func (b *baker) layer(ctx context.Context, p platform, s source, to string) error {
	debs, err := packages{filepath.Join(b.cache, "debs"), p.debian}.files(ctx, s.packages)
	if err != nil {
		return err
	}
	if s.minbase {
		return minbase(ctx, to)
	}
	return writeLayer(ctx, to, debs, s.extra)
}

// compress compresses layers, a few at once.
func (b *baker) compress(tars []string, compression string) ([]v1.Descriptor, error) {
	out := make([]v1.Descriptor, len(tars))
	errs := make([]error, len(tars))
	turn := make(chan struct{}, runtime.NumCPU())
	var all sync.WaitGroup
	for i := range tars {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			out[i], errs[i] = b.blobs.compressed(tars[i], compression)
		})
	}
	all.Wait()
	return out, errors.Join(errs...)
}

// document writes the config and the manifest of one platform under one tag.
func (b *baker) document(p platform, v variant, tars []string, layers []v1.Descriptor) error {
	manifestType, configType, layerType := v.mediaTypes()
	if p.debian == "" {
		p.oci = v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	}
	config := v1.ConfigFile{
		OS: p.oci.OS, Architecture: p.oci.Architecture, Variant: p.oci.Variant, Created: v1.Time{Time: made}, Config: b.config,
		RootFS: v1.RootFS{Type: "layers"},
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: manifestType}
	for i, d := range layers {
		id, err := digest(tars[i])
		if err != nil {
			return err
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, id)
		config.History = append(config.History, v1.History{Created: v1.Time{Time: made}, CreatedBy: fmt.Sprintf("layer %d", i)})
		d.MediaType = layerType
		m.Layers = append(m.Layers, d)
	}
	var err error
	if m.Config, err = b.json(config, configType); err != nil {
		return err
	}
	d, err := b.json(m, manifestType)
	if err != nil {
		return err
	}
	d.Platform = &p.oci
	b.tags[v.tag] = append(b.tags[v.tag], d)
	return nil
}

// json writes a document as a blob.
func (b *baker) json(document any, t types.MediaType) (v1.Descriptor, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := b.blobs.putBytes(text)
	d.MediaType = t
	return d, err
}

// finish writes the index of the layout, and of each image for several platforms one of its own.
func (b *baker) finish() error {
	top := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, v := range b.variants {
		d := b.tags[v.tag][0]
		if len(b.platforms) > 1 {
			var err error
			d, err = b.json(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: b.tags[v.tag]}, types.OCIImageIndex)
			if err != nil {
				return err
			}
		}
		d.Platform = nil
		d.Annotations = map[string]string{refName: v.tag}
		top.Manifests = append(top.Manifests, d)
	}
	text, err := json.Marshal(top)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(b.dir, "index.json"), text, 0o644),
		os.WriteFile(filepath.Join(b.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}
