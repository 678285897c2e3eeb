package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// dockerEntry is what manifest.json says of one image.
type dockerEntry struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// decodeDocker reads manifest.json, one image after the other, as a short document can have very many.
func decodeDocker(b []byte, images int) ([]dockerEntry, error) {
	bad := func(err error) ([]dockerEntry, error) {
		return nil, fail(manifestName, fmt.Errorf("%w: %w", store.ErrDocument, err), "")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if tok, err := d.Token(); err != nil {
		return bad(err)
	} else if tok != json.Delim('[') {
		return bad(fmt.Errorf("not a list"))
	}
	var entries []dockerEntry
	for d.More() {
		if len(entries) == images {
			return nil, fail(manifestName, fmt.Errorf("%w: more than %d images", ErrTooLarge, images), "if the archive is trusted, raise the limits")
		}
		var raw json.RawMessage
		var e dockerEntry
		if err := d.Decode(&raw); err != nil {
			return bad(err)
		}
		if err := store.DecodeObject(raw, &e); err != nil {
			return bad(err)
		}
		if len(e.Layers) > store.MaxLayers {
			return bad(fmt.Errorf("%d layers; overlayfs takes %d", len(e.Layers), store.MaxLayers))
		}
		entries = append(entries, e)
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return bad(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad(fmt.Errorf("something follows the list"))
	}
	return entries, nil
}

// dockerImage makes a manifest for an image of a docker-archive. The layers stay as they are in the archive. The
// manifest is the one that Docker since version 25 writes for the same image, so its digest depends on nothing but the
// configuration and the layers.
func (s *scan) dockerImage(r *reading, e dockerEntry, m *made) (image, error) {
	config, err := s.resolve(e.Config)
	if err != nil {
		return image{}, err
	}
	if hex := configHex(e.Config); hex != "" && hex != config.digest.Hex {
		return image{}, fail(e.Config, store.ErrDigest, "the archive is damaged; save it again")
	}
	d := descriptor{types.OCIConfigJSON, config.digest.String(), config.size}
	c, err := r.config(v1.Descriptor{Digest: config.digest, Size: config.size}, len(e.Layers))
	if bad := (*Error)(nil); errors.As(err, &bad) {
		bad.Path = e.Config
	}
	if err != nil {
		return image{}, err
	}
	list := manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: d, Layers: []descriptor{}}
	for i, name := range e.Layers {
		f, err := s.resolve(name)
		if err != nil {
			return image{}, err
		}
		mt, err := layerType(m, f)
		if err != nil {
			return image{}, fail(name, err, "pack the layer with gzip or zstd")
		}
		if mt == types.OCIUncompressedLayer && f.digest != c.diffIDs[i] {
			return image{}, fail(name, fmt.Errorf("%w: the configuration has %s", store.ErrDigest, c.diffIDs[i]), "the archive is damaged; save it again")
		}
		list.Layers = append(list.Layers, descriptor{mt, f.digest.String(), f.size})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return image{}, err
	}
	h, n := m.add(b)
	return r.load(v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: n})
}

// configHex is the digest in the name of a configuration: writers call it <hex>.json, blobs/sha256/<hex> or
// sha256:<hex>. It is "" for names without one.
func configHex(name string) string {
	hex := strings.TrimPrefix(strings.TrimSuffix(path.Base(name), ".json"), "sha256:")
	if !hexDigest.MatchString(hex) {
		return ""
	}
	return hex
}

// layerType tells a layer's media type from its first bytes.
func layerType(c contents, f file) (types.MediaType, error) {
	rc, err := c.Open(f.digest)
	if err != nil {
		return "", err
	}
	defer rc.Close()
	head := make([]byte, 6)
	n, err := io.ReadFull(rc, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	p, err := sniff(head[:n])
	switch {
	case err != nil:
		return "", err
	case p == bzipped:
		return "", fmt.Errorf("bzip2: %w", ErrCompression) // no media type says so
	}
	return p.mediaType(), nil
}

// manifest and descriptor are the image manifest with its keys in the specification's order, as other programs write it.
type manifest struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        descriptor      `json:"config"`
	Layers        []descriptor    `json:"layers"`
}

type descriptor struct {
	MediaType types.MediaType `json:"mediaType"`
	Digest    string          `json:"digest"`
	Size      int64           `json:"size"`
}
