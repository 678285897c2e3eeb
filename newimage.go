package caisson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/imageconfig"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// newImage is an image that is being made, on another one or on nothing.
type newImage struct {
	store    *store.Store
	manifest v1.Manifest
	config   v1.ConfigFile
}

// newImageOn begins with the layers and settings of an image, which may be nil.
func newImageOn(s *store.Store, base *store.Image) *newImage {
	n := &newImage{store: s}
	if base == nil {
		n.manifest = v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
		n.config = v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}}
		return n
	}
	n.manifest, n.config = *base.Manifest.DeepCopy(), *base.Config.DeepCopy()
	n.manifest.Annotations, n.manifest.Subject = nil, nil
	n.config.Container = ""
	if n.manifest.MediaType == "" {
		n.manifest.MediaType = types.OCIManifestSchema1
	}
	return n
}

// docker tells whether the image is in Docker's format.
func (n *newImage) docker() bool { return n.manifest.MediaType == types.DockerManifestSchema2 }

// add puts a layer on top that the store has.
func (n *newImage) add(p changes.Packed, step v1.History) {
	n.config.History = append(n.config.History, step)
	if step.EmptyLayer {
		return
	}
	mt := types.OCILayer
	if n.docker() {
		mt = types.DockerLayer
	}
	n.manifest.Layers = append(n.manifest.Layers, v1.Descriptor{MediaType: mt, Digest: p.Digest, Size: p.PackedBytes})
	n.config.RootFS.DiffIDs = append(n.config.RootFS.DiffIDs, p.DiffID)
}

// change applies instructions to the settings.
func (n *newImage) change(instructions []string) error {
	if err := imageconfig.Apply(&n.config.Config, instructions); err != nil {
		return &Error{"change", strings.Join(instructions, "; "), err, "write it as in a Dockerfile"}
	}
	return nil
}

// keep stores the image, its layers unpacked, and gives it a name, if there is one.
func (n *newImage) keep(ctx context.Context, e *Engine, name string, now time.Time) (*Image, error) {
	n.config.Created = v1.Time{Time: now}
	if err := registry.UnpackStored(ctx, n.store, &n.manifest, &n.config, registry.BudgetFor(n.manifest.Layers), e.layerOptions()); err != nil {
		return nil, err
	}
	config := types.OCIConfigJSON
	if n.docker() {
		config = types.DockerConfigJSON
	}
	var err error
	if n.manifest.Config, err = n.document(ctx, config, n.config); err != nil {
		return nil, err
	}
	desc, err := n.document(ctx, n.manifest.MediaType, n.manifest)
	if err != nil {
		return nil, err
	}
	desc.Platform = n.config.Platform()
	image := []store.Addition{{Desc: desc}}
	if name != "" {
		image[0].Names = []string{name}
	}
	if err := n.store.Add(ctx, image, true); err != nil {
		return nil, err
	}
	img, err := n.store.Resolve(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	img.Ref = name
	return e.image(img), nil
}

// document stores a document and describes it.
func (n *newImage) document(ctx context.Context, mt types.MediaType, content any) (v1.Descriptor, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return v1.Descriptor{}, err
	}
	h, size, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mt, Digest: h, Size: size}, n.store.PutBlob(ctx, h, size, bytes.NewReader(b))
}

// fullName is the full form of a reference.
func fullName(op, ref string) (string, error) {
	if ref == "" {
		return "", &Error{op, "image", errors.New("no name"), "write it as name:tag"}
	}
	if err := checkOwnForm(op, ref); err != nil {
		return "", err
	}
	r, err := registry.Parse(ref)
	if err != nil {
		return "", imageError(op, ref, err)
	}
	return r.String(), nil
}

// tagName is fullName for a name that an image is given: a digest is not given but had.
func tagName(op, ref string) (string, error) {
	if strings.Contains(ref, "@") {
		return "", &Error{op, ref, errors.New("a digest cannot be given to an image"), "write it as name:tag"}
	}
	return fullName(op, ref)
}
