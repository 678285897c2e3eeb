package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// repairIndex makes a new index.json if the one that is there can not be read, and a new oci-layout.
func (s *Store) repairIndex(ctx context.Context) error {
	root, err := s.read()
	if err != nil {
		return err
	}
	defer root.Close()
	release, err := lockAlone(ctx, root)
	if err != nil {
		return err
	}
	defer release()
	unlock, err := lock(ctx, root, "index")
	if err != nil {
		return err
	}
	defer unlock()
	if !isLayout(root) {
		if err := replaceFile(ctx, root, "oci-layout", []byte(layoutFile)); err != nil {
			return err
		}
	}
	if _, err := readIndex(root); err == nil || !errors.Is(err, ErrDocument) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	index, err := s.rediscover(ctx, root)
	if err != nil {
		return err
	}
	return writeIndex(ctx, root, index)
}

// isLayout reports whether the file that marks a layout says so.
func isLayout(root disk) bool {
	f, err := root.Open("oci-layout")
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<10))
	var l map[string]string // not a struct: the case of the key counts
	return err == nil && json.Unmarshal(b, &l) == nil && l["imageLayoutVersion"] == "1.0.0"
}

// rediscover lists the images that the blobs are of: the indexes, and the manifests that no index has.
func (s *Store) rediscover(ctx context.Context, root disk) (*v1.IndexManifest, error) {
	var found []v1.Descriptor
	inside := map[v1.Hash]bool{}
	err := eachName(root, "blobs/sha256", func(name string) error {
		h := v1.Hash{Algorithm: "sha256", Hex: name}
		if err := ctx.Err(); err != nil {
			return err
		}
		fi, err := root.Lstat("blobs/sha256/" + name)
		if err != nil || fi.Size() > MaxDocument || checkHash(h) != nil {
			return nil
		}
		b, err := readBlob(root, h)
		if err != nil {
			return nil
		}
		d := v1.Descriptor{Digest: h, Size: fi.Size(), MediaType: documentType(b)}
		if m, err := DecodeIndex(b, d.MediaType); err == nil {
			found = append(found, d)
			for _, c := range m.Manifests {
				inside[c.Digest] = true
			}
		} else if _, err := DecodeManifest(b, d.MediaType); err == nil {
			found = append(found, d)
		}
		return nil
	})
	index := emptyIndex()
	for _, d := range found {
		if !inside[d.Digest] {
			index.Manifests = append(index.Manifests, d)
		}
	}
	return index, err
}

// documentType is what a document says to be; a manifest of the OCI need not say it.
func documentType(b []byte) types.MediaType {
	var own struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Config    json.RawMessage `json:"config"`
	}
	_ = json.Unmarshal(b, &own)
	switch {
	case own.MediaType != "":
		return own.MediaType
	case own.Manifests != nil:
		return types.OCIImageIndex
	case own.Config != nil:
		return types.OCIManifestSchema1
	}
	return ""
}
