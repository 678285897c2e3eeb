package store

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// Image is an image of the store, ready to be run.
type Image struct {
	Ref    string  // the name it was found by, "" if it has none
	Digest v1.Hash // of its manifest
	Config v1.ConfigFile

	// Layers are the absolute directories for an overlay's lowerdir, bottom to top. They are fewer than
	// Config.RootFS.DiffIDs where a layer comes twice, which overlayfs refuses (ELOOP) and which changes nothing, or
	// where a layer hides all those below it.
	Layers []string
}

// Resolve finds an image by the name that Tag gave it, or by the digest of its manifest, alone or as the "@sha256:..."
// of a reference. What it reads of the image is verified against the digests. Without Linux the layers are not checked,
// as there are none.
//
// Errors: *Error around fs.ErrNotExist; ErrIncomplete, which is fs.ErrNotExist too; ErrDigest or ErrDocument for a
// damaged image; the errno.
func (s *Store) Resolve(refOrDigest string) (Image, error) {
	d, err := s.find(refOrDigest)
	if err != nil {
		return Image{}, wrap("resolve", refOrDigest, err)
	}
	img, err := s.load(d)
	if err != nil {
		return Image{}, &Error{Op: "resolve", Path: refOrDigest, Err: err, Hint: "pull the image again"}
	}
	return img, nil
}

// Images lists the images that have an entry in index.json, in its order. One that can not be read is yielded with its
// error and whatever is known of it; the list goes on behind it. Entries that are no images, such as indexes that other
// tools put there, are left out.
func (s *Store) Images() iter.Seq2[Image, error] {
	return func(yield func(Image, error) bool) {
		entries, err := s.entries()
		if err != nil {
			yield(Image{}, wrap("list", s.dir, err))
			return
		}
		for _, d := range entries {
			if !d.MediaType.IsImage() {
				continue
			}
			img, err := s.load(d)
			if err != nil {
				img = Image{Ref: d.Annotations[refName], Digest: d.Digest}
				err = &Error{Op: "load", Path: d.Digest.String(), Err: err, Hint: "pull the image again"}
			}
			if !yield(img, err) {
				return
			}
		}
	}
}

// load reads the manifest and the configuration of an image.
func (s *Store) load(d v1.Descriptor) (Image, error) {
	b, err := s.readBlob(d.Digest, MaxDocument)
	if err != nil {
		return Image{}, err
	}
	m, err := DecodeManifest(b, d.MediaType)
	if err != nil {
		return Image{}, err
	}
	if b, err = s.readBlob(m.Config.Digest, MaxDocument); err != nil {
		return Image{}, err
	}
	c, err := DecodeConfig(b, len(m.Layers))
	if err != nil {
		return Image{}, err
	}
	img := Image{Ref: d.Annotations[refName], Digest: d.Digest, Config: *c}
	img.Layers, err = s.stack(c.RootFS.DiffIDs)
	return img, err
}

// stack lists the directories of the layers, bottom to top. Of a layer that comes twice the upper one is kept: whatever
// it has, hides or opens up is decided there, and nothing of the lower one can be seen.
func (s *Store) stack(diffIDs []v1.Hash) ([]string, error) {
	if !layer.Supported {
		return nil, nil
	}
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var dirs []string
	for i, h := range diffIDs {
		r, ok := readRecord(root, h)
		if !ok {
			return nil, fmt.Errorf("%w (%w): %s", ErrIncomplete, fs.ErrNotExist, h)
		}
		if r.RootOpaque {
			dirs = nil
		}
		if !slices.Contains(diffIDs[i+1:], h) {
			dirs = append(dirs, s.LayerDir(h))
		}
	}
	return dirs, nil
}

func isDir(root *os.Root, name string) bool {
	fi, err := root.Lstat(name)
	return err == nil && fi.IsDir()
}
