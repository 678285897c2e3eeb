package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// What the pull and the push want to know of the store. Most of it is the store's own to answer once it can.

// resolve finds the image for the platform.
func resolve(s *store.Store, r Reference, o *Options) (store.Image, error) {
	img, err := s.Resolve(r.String())
	if err == nil {
		err = fits(&img.Config, *o.Platform)
	}
	return img, err
}

// hasName reports whether the store has something by the name.
func (p *puller) hasName() bool {
	_, err := lookup(p.s, p.ref.String())
	return err == nil
}

// lookup finds what a name, or a digest, stands for.
func lookup(s *store.Store, ref string) (v1.Descriptor, error) {
	b, err := os.ReadFile(filepath.Join(s.Dir(), "index.json"))
	if err != nil {
		return v1.Descriptor{}, err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(b, &index); err != nil {
		return v1.Descriptor{}, err
	}
	for _, d := range index.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == ref || d.Digest.String() == ref {
			d.Annotations = nil
			return d, nil
		}
	}
	return v1.Descriptor{}, fs.ErrNotExist
}

func lockBlob(context.Context, *store.Store, v1.Hash) (func(), error) { return func() {}, nil }

// complete reports whether an image is here with all images of its index.
func complete(s *store.Store, ref string) error {
	return errors.New("not known")
}

var _ = fmt.Sprint
