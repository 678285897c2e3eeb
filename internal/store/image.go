package store

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// Image is an image of the store, ready to be run.
type Image struct {
	Ref   string   // the name it was found by, "" if it was found by a digest and has none
	Names []string // all its names, those of indexes that it is in included; none for a dangling image

	Digest       v1.Hash // of its manifest
	ConfigDigest v1.Hash // of its configuration, which is what Docker calls the ID of an image
	Index        v1.Hash // of the index that the name points to; zero if it points to the manifest

	// Descriptor is what the name points to, an index or a manifest, in the form that Tag takes.
	Descriptor v1.Descriptor

	Manifest v1.Manifest
	Config   v1.ConfigFile

	// Layers are the absolute directories for an overlay's lowerdir, bottom to top. They are fewer than
	// Config.RootFS.DiffIDs where a layer comes twice, which overlayfs refuses (ELOOP) and which changes nothing, or
	// where a layer hides all those below it; and there is one more where they need a cover, see Cover. Without Linux
	// there are none.
	Layers []string
}

// Resolve finds an image by the name that Tag gave it; by the digest of its manifest, its configuration or its index,
// alone or as the "@sha256:..." of a reference; or by the first digits of one, at least four, with or without
// "sha256:" before them. Where that is an index, the image is the one for Linux on this machine's architecture. What it
// reads of the image is verified against the digests. Without Linux the layers are not checked, as there are none.
//
// Errors: *Error around fs.ErrNotExist; ErrIncomplete and ErrPlatform, which are fs.ErrNotExist too; *AmbiguousError;
// ErrDigest or ErrDocument for a damaged image; the errno.
func (s *Store) Resolve(ref string) (Image, error) { return s.ResolvePlatform(ref, nil) }

// ResolvePlatform is Resolve for a platform. An image that is not in an index must be for that platform too. Nil is
// what Resolve does.
func (s *Store) ResolvePlatform(ref string, p *v1.Platform) (Image, error) {
	img, err := s.Find(ref, p)
	if err != nil {
		return img, err
	}
	if img.Layers, err = s.stack(img.Config.RootFS.DiffIDs); err != nil {
		return Image{}, &Error{Op: "resolve", Path: ref, Err: err, Hint: "pull the image again"}
	}
	return img, nil
}

// Find is ResolvePlatform for an image that is not to be run: its layers may be packed only, and Image.Layers is nil.
func (s *Store) Find(ref string, p *v1.Platform) (Image, error) {
	root, err := s.read()
	if err != nil {
		return Image{}, wrap("resolve", ref, err)
	}
	defer root.Close()
	v, err := s.look(root)
	if err != nil {
		return Image{}, wrap("resolve", ref, err)
	}
	found, err := v.find(ref)
	if err != nil {
		return Image{}, wrap("resolve", ref, err)
	}
	img, err := v.load(found[0], p)
	if err != nil {
		hint := "pull the image again"
		if errors.Is(err, ErrPlatform) {
			hint = "pull the image for that platform"
		}
		return Image{}, &Error{Op: "resolve", Path: ref, Err: err, Hint: hint}
	}
	return img, nil
}

// Images lists the images that have an entry in index.json, in its order; the one for this machine of an index, or else
// the first that is here. An image of which a layer is not unpacked, because it is for another platform perhaps, has
// nil Layers. One that can not be read is yielded with its error and whatever is known of it; the list goes on behind it.
// What is neither an image nor an index is left out.
func (s *Store) Images() iter.Seq2[Image, error] {
	return func(yield func(Image, error) bool) {
		root, err := s.read()
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Image{}, wrap("list", s.dir, err))
			return
		}
		defer root.Close()
		v, err := s.look(root)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Image{}, wrap("list", s.dir, err))
			return
		}
		for _, d := range v.index.Manifests {
			if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
				continue
			}
			if !yield(v.list(d)) {
				return
			}
		}
	}
}

// list is an entry as Images yields it.
func (v *view) list(d v1.Descriptor) (Image, error) {
	img, err := v.load(match{entry: d, byName: true}, nil)
	if errors.Is(err, fs.ErrNotExist) && d.MediaType.IsIndex() {
		if first, ok := v.firstHere(d); ok {
			img, err = v.load(match{entry: d, manifest: &first, byName: true}, nil)
		}
	}
	if err != nil {
		img = Image{Ref: d.Annotations[refName], Digest: d.Digest}
		if img.Ref != "" {
			img.Names = []string{img.Ref}
		}
		return img, &Error{Op: "load", Path: d.Digest.String(), Err: err, Hint: "pull the image again"}
	}
	if img.Layers, err = v.s.stack(img.Config.RootFS.DiffIDs); errors.Is(err, ErrIncomplete) {
		err = nil
	}
	return img, wrap("load", d.Digest.String(), err)
}

// firstHere is the first manifest of an index that the store has.
func (v *view) firstHere(d v1.Descriptor) (v1.Descriptor, bool) {
	leaves, err := v.leaves(d)
	i := slices.IndexFunc(leaves, func(m v1.Descriptor) bool { return hasFile(v.root, m.Digest) })
	if err != nil || i < 0 {
		return v1.Descriptor{}, false
	}
	return leaves[i], true
}

// load reads the manifest and the configuration of an image.
func (v *view) load(found match, want *v1.Platform) (Image, error) {
	d, err := found.manifestFor(v, want)
	if err != nil {
		return Image{}, err
	}
	b, err := readBlob(v.root, d.Digest)
	if err != nil {
		return Image{}, err
	}
	m, err := DecodeManifest(b, d.MediaType)
	if err != nil {
		return Image{}, err
	}
	if b, err = readBlob(v.root, m.Config.Digest); err != nil {
		return Image{}, err
	}
	c, err := DecodeConfig(b, len(m.Layers))
	if err != nil {
		return Image{}, err
	}
	img := Image{
		Ref: found.entry.Annotations[refName], Names: v.names(d.Digest),
		Digest: d.Digest, ConfigDigest: m.Config.Digest, Descriptor: found.entry, Manifest: *m, Config: *c,
	}
	img.Descriptor.Annotations = nil
	if found.entry.MediaType.IsIndex() {
		img.Index = found.entry.Digest
	}
	return img, nil
}

// manifestFor is the manifest that was named, or the one for the platform. A manifest that was named by its digest is
// taken whatever this machine is.
func (m match) manifestFor(v *view, want *v1.Platform) (v1.Descriptor, error) {
	if m.manifest != nil {
		return v.choose(*m.manifest, want)
	}
	return v.choose(m.entry, want)
}

// stack lists the directories of the layers, bottom to top, and that of their cover, if they need one.
func (s *Store) stack(diffIDs []v1.Hash) ([]string, error) {
	if !layer.Supported {
		return nil, nil
	}
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	layers, implied, err := pile(root, diffIDs)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range layers {
		dirs = append(dirs, s.LayerDir(h))
	}
	if !implied {
		return dirs, nil
	}
	h := coverID(diffIDs)
	r, ok := readRecord(root, h)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w (%w): the cover %s", ErrIncomplete, fs.ErrNotExist, h)
	case r.Entries > 0:
		dirs = append(dirs, s.LayerDir(h))
	}
	return dirs, nil
}

// pile is which layers are mounted, bottom to top. Of one that comes twice the upper one is kept: whatever it has, hides
// or opens up is decided there, and nothing of the lower one can be seen. implied says that one above another has
// directories without an entry.
func pile(root disk, diffIDs []v1.Hash) (layers []v1.Hash, implied bool, err error) {
	for i, h := range diffIDs {
		r, ok := readRecord(root, h)
		if !ok {
			return nil, false, fmt.Errorf("%w (%w): %s", ErrIncomplete, fs.ErrNotExist, h)
		}
		if r.RootOpaque {
			layers, implied = nil, false
		}
		if !slices.Contains(diffIDs[i+1:], h) {
			implied = implied || len(layers) > 0 && r.Implied > 0
			layers = append(layers, h)
		}
	}
	return layers, implied, nil
}

// Document reads a manifest, an index or a configuration as it is, at most MaxDocument bytes, and verifies it.
// Errors: *Error around fs.ErrNotExist, ErrDigest, ErrSize (larger), the errno.
func (s *Store) Document(h v1.Hash) ([]byte, error) {
	root, err := s.read()
	if err != nil {
		return nil, wrap("blob", h.String(), err)
	}
	defer root.Close()
	b, err := readBlob(root, h)
	return b, wrap("blob", h.String(), err)
}

func isDir(root disk, name string) bool {
	fi, err := root.Lstat(name)
	return err == nil && fi.IsDir()
}

// hasFile reports whether there is a blob, of whatever size.
func hasFile(root disk, h v1.Hash) bool {
	path, err := blobPath(h)
	if err != nil {
		return false
	}
	fi, err := root.Lstat(path)
	return err == nil && fi.Mode().IsRegular()
}
