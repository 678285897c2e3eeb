package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// MaxDocument bounds a manifest, index or configuration, as registries do.
	MaxDocument = 4 << 20

	// MaxLayers bounds the layers of an image: overlayfs takes no more lower directories (OVL_MAX_STACK).
	MaxLayers = 500

	// MaxBlob and MaxImage bound what a manifest may say of the sizes of one layer as it is packed, and of all: a
	// registry that is not honest would else fill the disk, down to the size that it names. Registries take layers of
	// 10 to 50 GiB; the largest images in use, with models in them, have about that.
	MaxBlob  = 64 << 30
	MaxImage = 128 << 30

	maxNesting = 32      // a configuration needs 5
	maxValues  = 100_000 // 4 MiB of empty descriptors would take 300 MiB decoded
)

// DecodeManifest reads the manifest of an image, of the media type that the registry or the descriptor gives it.
// A document that could also be read as an index, or that says to be something else, is ErrDocument: two readers
// must not see two images (CVE-2021-41190). One of layers beyond MaxBlob or MaxImage is ErrTooLarge.
func DecodeManifest(b []byte, mt types.MediaType) (*v1.Manifest, error) {
	if !mt.IsImage() {
		return nil, documentError("media type %.100q is not that of an image manifest", mt)
	}
	var m v1.Manifest
	if err := decode(b, &m, "manifests", "fsLayers"); err != nil {
		return nil, err
	}
	switch {
	case m.SchemaVersion != 2:
		return nil, documentError("schemaVersion is %d, not 2", m.SchemaVersion)
	case m.MediaType != "" && m.MediaType != mt:
		return nil, documentError("mediaType is %.100q, but it was given as %q", m.MediaType, mt)
	case len(m.Layers) > MaxLayers:
		return nil, documentError("%d layers; overlayfs takes %d", len(m.Layers), MaxLayers)
	}
	for i, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if err := checkDescriptor(d); err != nil {
			return nil, documentError("descriptor %d: %w", i, err)
		}
	}
	if m.Config.Size > MaxDocument {
		return nil, documentError("the configuration has %d bytes, more than %d", m.Config.Size, MaxDocument)
	}
	if err := checkSizes(m.Layers); err != nil {
		return nil, err
	}
	return &m, nil
}

// checkSizes refuses layers that are larger than any honest one.
func checkSizes(layers []v1.Descriptor) error {
	total := int64(0)
	for _, d := range layers {
		if d.Size > MaxBlob {
			return fmt.Errorf("layer %s has %d bytes: %w: %d GiB are", d.Digest, d.Size, ErrTooLarge, MaxBlob>>30)
		}
		total += d.Size // of MaxLayers at most: no overflow
	}
	if total > MaxImage {
		return fmt.Errorf("the layers have %d bytes together: %w: %d GiB are", total, ErrTooLarge, MaxImage>>30)
	}
	return nil
}

// DecodeIndex reads an index of images for several platforms, under the rules of DecodeManifest.
func DecodeIndex(b []byte, mt types.MediaType) (*v1.IndexManifest, error) {
	if !mt.IsIndex() {
		return nil, documentError("media type %.100q is not that of an index", mt)
	}
	var m v1.IndexManifest
	if err := decode(b, &m, "config", "layers", "fsLayers"); err != nil {
		return nil, err
	}
	switch {
	case m.SchemaVersion != 2:
		return nil, documentError("schemaVersion is %d, not 2", m.SchemaVersion)
	case m.MediaType != "" && m.MediaType != mt:
		return nil, documentError("mediaType is %.100q, but it was given as %q", m.MediaType, mt)
	}
	for i, d := range m.Manifests {
		if err := checkDescriptor(d); err != nil {
			return nil, documentError("descriptor %d: %w", i, err)
		}
	}
	return &m, nil
}

// DecodeConfig reads the configuration of an image with that many layers.
func DecodeConfig(b []byte, layers int) (*v1.ConfigFile, error) {
	c, err := decodeAnyConfig(b)
	if err != nil {
		return nil, err
	}
	switch {
	case c.RootFS.Type != "layers":
		return nil, documentError("rootfs.type is %.100q, not \"layers\"", c.RootFS.Type)
	case len(c.RootFS.DiffIDs) != layers:
		return nil, documentError("%d diff_ids for %d layers", len(c.RootFS.DiffIDs), layers)
	}
	for _, h := range c.RootFS.DiffIDs {
		if err := checkHash(h); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// decodeAnyConfig reads a configuration whatever its layers are.
func decodeAnyConfig(b []byte) (*v1.ConfigFile, error) {
	var c v1.ConfigFile
	if err := decode(b, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

func checkDescriptor(d v1.Descriptor) error {
	if d.Size < 0 {
		return fmt.Errorf("size is %d", d.Size)
	}
	return checkHash(d.Digest)
}

func documentError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDocument}, args...)...)
}

// decode reads one JSON object that has none of the forbidden keys.
func decode(b []byte, into any, forbidden ...string) error {
	if len(b) > MaxDocument {
		return documentError("it has more than %d bytes", MaxDocument)
	}
	w := walker{d: json.NewDecoder(bytes.NewReader(b)), left: maxValues}
	if err := w.value(0, true, forbidden); err != nil {
		return err
	}
	if _, err := w.d.Token(); err != io.EOF {
		return documentError("something follows the JSON object")
	}
	if err := json.Unmarshal(b, into); err != nil {
		return documentError("%w", err)
	}
	return nil
}

// walker goes through a JSON document before it is decoded, so that what it costs in memory is known.
type walker struct {
	d    *json.Decoder
	left int // values
}

// value reads one JSON value. A key that comes twice in an object has two meanings, by reader; so have keys that differ
// in case alone, because encoding/json takes both for the same field. Where keys are data (folds is false) the case
// counts.
func (w *walker) value(depth int, folds bool, forbidden []string) error {
	if w.left--; w.left < 0 {
		return documentError("more than %d values", maxValues)
	}
	if depth > maxNesting {
		return documentError("nested deeper than %d", maxNesting)
	}
	tok, err := w.d.Token()
	if err != nil {
		return documentError("%w", err)
	}
	delim, ok := tok.(json.Delim)
	switch {
	case depth == 0 && delim != '{':
		return documentError("not a JSON object")
	case !ok:
		return nil
	}
	seen := map[string]bool{}
	for w.d.More() {
		inner := folds
		if delim == '{' {
			if inner, err = w.key(seen, folds, forbidden); err != nil {
				return err
			}
		}
		if err := w.value(depth+1, inner, nil); err != nil {
			return err
		}
	}
	if _, err := w.d.Token(); err != nil { // the closing bracket
		return documentError("%w", err)
	}
	return nil
}

// key reads one key, refuses one seen before or forbidden, and says whether the keys below it fold.
func (w *walker) key(seen map[string]bool, folds bool, forbidden []string) (bool, error) {
	tok, err := w.d.Token()
	if err != nil {
		return false, documentError("%w", err)
	}
	key, _ := tok.(string) // the decoder takes nothing else for a key
	folded := key
	if folds { // both ways, for letters like the long s that encoding/json folds too
		folded = strings.ToLower(strings.ToUpper(key))
	}
	if seen[folded] {
		return false, documentError("key %.100q comes twice", key)
	}
	seen[folded] = true
	for _, f := range forbidden {
		if strings.EqualFold(key, f) {
			return false, documentError("key %q belongs to another kind of document", f)
		}
	}
	switch folded {
	case "annotations", "labels", "volumes", "exposedports":
		return false, nil
	}
	return folds, nil
}
