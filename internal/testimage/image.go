package testimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Env is the environment variable that names the directory of the images that were made before. Empty: a directory
// of the user's cache.
const Env = "CAISSON_IMAGES"

const tarsDir = "tars"

// Image is an image that lies in the cache.
type Image struct {
	// Name is what Make was asked for.
	Name string
	// Layout is the OCI image layout, whose images are named by tag alone.
	Layout string
	// Tars are the plain tars of the layers, bottom to top. For several platforms: of the first, then of the next.
	Tars []string
}

// Cache is the directory that images are kept in.
func Cache() (string, error) {
	if dir := os.Getenv(Env); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; set %s", err, Env)
	}
	return filepath.Join(dir, "caisson-images"), nil
}

// Make finds an image of this package in the cache, and makes it first if it is not there. Two programs may make one
// image at once; one of them has worked in vain.
//
// Errors: fs.ErrNotExist if there is no such image; the errors of the programs that it takes, with their words.
func Make(ctx context.Context, name string) (*Image, error) {
	cache, dir, err := place(name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		if err := build(ctx, cache, dir, recipes()[name]); err != nil {
			return nil, fmt.Errorf("make the image %s: %w", name, err)
		}
	}
	tars, err := filepath.Glob(filepath.Join(dir, tarsDir, "*.tar"))
	return &Image{name, dir, tars}, err
}

// Names are the images that Make knows, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(recipes())) }

// place is where an image belongs. The directory's name says what it was made of, so that a changed recipe makes a new
// image; what changes within Debian does not.
func place(name string) (cache, dir string, err error) {
	r, ok := recipes()[name]
	if !ok {
		return "", "", fmt.Errorf("image %q: %w; there are %s", name, fs.ErrNotExist, strings.Join(Names(), ", "))
	}
	cache, err = Cache()
	return cache, filepath.Join(cache, name+"-"+r.key()), err
}

// form is raised when the same recipe makes another image than before.
const form = 2

// key is a short digest of the recipe.
func (r recipe) key() string {
	h := sha256.New()
	say := func(v ...any) { _, _ = fmt.Fprintf(h, "%q\n", fmt.Sprintln(v...)) } // a hash does not fail
	say("form", form)
	for _, p := range r.platforms {
		say(p.debian, p.oci.String())
	}
	for _, s := range r.layers {
		say("layer", s.minbase, s.packages)
		for _, e := range s.extra {
			say(e.Typeflag, e.Name, e.Linkname, e.Mode, e.Uid, e.Gid, e.ModTime.UTC(), e.PAXRecords, e.content)
		}
	}
	text, _ := json.Marshal(r.config) // it has nothing that JSON has not
	say(r.variants, string(text))
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func build(ctx context.Context, cache, dir string, r recipe) (err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := &baker{recipe: r, cache: cache, dir: work}
	if err := b.bake(ctx); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	if err := os.Rename(work, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Tags are the names of the images of the layout.
func (i *Image) Tags() ([]string, error) {
	all, err := i.index()
	var tags []string
	for _, d := range all {
		tags = append(tags, d.Annotations[refName])
	}
	return tags, err
}

// Descriptor is that of the manifest, or of the index, that a tag names.
func (i *Image) Descriptor(tag string) (v1.Descriptor, error) {
	all, err := i.index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	for _, d := range all {
		if d.Annotations[refName] == tag {
			return d, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("%s: tag %s: %w", i.Name, tag, fs.ErrNotExist)
}

func (i *Image) index() ([]v1.Descriptor, error) {
	l, err := layout.ImageIndexFromPath(i.Layout)
	if err != nil {
		return nil, err
	}
	m, err := l.IndexManifest()
	if err != nil {
		return nil, err
	}
	return m.Manifests, nil
}
