package powercut

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// seen is what is in a store.
type seen struct {
	names   map[string]string // to the digests of manifests
	files   int               // that were compared
	damages []string
}

// look reads everything in a store and compares it with its digests, and file by file with the layers' archives.
func look(ctx context.Context, dir, boot string) *seen {
	v := &seen{names: map[string]string{}}
	s, err := store.OpenWith(dir, store.Options{Boot: boot})
	if err != nil {
		v.damage("open", err)
		return v
	}
	for p, err := range s.Check(ctx, store.CheckOptions{Decompress: registry.Decompress, Layer: layer.Defaults()}) {
		if err != nil {
			v.damage("Check", err)
		} else {
			v.damage("Check", errors.New(p.String()))
		}
	}
	entries, err := s.Entries()
	if err != nil {
		v.damage("Entries", err)
	}
	compared := map[string]bool{}
	for _, d := range entries {
		name := store.NameOf(d)
		if name != "" {
			v.names[name] = d.Digest.String()
		} else {
			name = d.Digest.String()
		}
		img, err := whole(ctx, s, name)
		if err != nil {
			v.damage("Resolve", err)
			continue
		}
		for i, dir := range img.Layers {
			if compared[dir] {
				continue
			}
			compared[dir] = true
			if err := v.layer(s, img, i); err != nil {
				v.damage(fmt.Sprintf("layer %d of %s", i, name), err)
			}
		}
	}
	return v
}

// whole is an image with its layers. Those that were not settled have to be unpacked anew from their blobs.
func whole(ctx context.Context, s *store.Store, name string) (store.Image, error) {
	img, err := s.Resolve(name)
	if !errors.Is(err, store.ErrIncomplete) {
		return img, err
	}
	if img, err = s.Find(name, nil); err != nil {
		return img, err
	}
	for i, h := range img.Config.RootFS.DiffIDs {
		d := img.Manifest.Layers[i]
		err := s.PutLayer(ctx, h, func() (io.ReadCloser, error) {
			blob, err := s.Blob(d.Digest)
			if err != nil {
				return nil, err
			}
			return registry.Decompress(d.MediaType, blob)
		}, layer.Defaults())
		if err != nil {
			return img, err
		}
	}
	return s.Resolve(name)
}

func (v *seen) damage(what string, err error) {
	v.damages = append(v.damages, fmt.Sprintf("%s: %v", what, err))
}

// layer compares without the help of Check: every file's content, and that there are no others.
func (v *seen) layer(s *store.Store, img store.Image, i int) error {
	blob, err := s.Blob(img.Manifest.Layers[i].Digest)
	if err != nil {
		return err
	}
	r, err := registry.Decompress(img.Manifest.Layers[i].MediaType, blob)
	if err != nil {
		return err
	}
	defer r.Close()
	want := map[string]bool{".": true}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name := path.Join(path.Dir(path.Clean(h.Name)), strings.TrimPrefix(path.Base(h.Name), ".wh."))
		want[name] = true
		if h.Typeflag != tar.TypeReg || name != h.Name {
			continue
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(img.Layers[i], name))
		if err != nil || !bytes.Equal(got, content) {
			return fmt.Errorf("%s has %d bytes and should have %d, or others: %v", name, len(got), len(content), err)
		}
		v.files++
	}
	return filepath.WalkDir(img.Layers[i], func(p string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(img.Layers[i], p); err == nil && !want[rel] {
			err = fmt.Errorf("%s is too many", rel)
		}
		return err
	})
}
