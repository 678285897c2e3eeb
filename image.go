package caisson

import (
	"cmp"
	"errors"
	"strings"

	"github.com/caisson-go/caisson/internal/store"
)

// Image is a root filesystem and what it says about the programs in it. It is a handle: the content
// is immutable and shared. Its methods may be called from several goroutines.
// Source: OCI image-spec, config.md.
type Image struct {
	engine *Engine
	id     string
	ref    string
	layers []string // directories, bottom to top
	config imageConfig
	stored *store.Image // nil if it is not in the store

	base  *Image   // of a snapshot: the image below it
	below []string // of a snapshot: it and the snapshots below it, bottom to top
}

// The forms of an image's ID beside a digest.
const (
	hostImage = "host"
	dirImage  = "dir:"
)

var (
	errNotDirectory = errors.New("not a directory")
	errNoImage      = &Error{"spec", "Image", errors.New("no image"), "use Image.Command, or set it to an Image.ID"}
)

// ID names the image for Spec.Image: "host", "dir:" and a path, "snapshot:" and an ID, or the digest of its manifest.
func (i *Image) ID() string { return i.id }

// Ref is the reference that the image was asked for by, such as "docker.io/library/alpine:3.20", or "".
func (i *Image) Ref() string { return i.ref }

// String is the reference, else the ID; "no image" if it is the zero value.
func (i *Image) String() string { return cmp.Or(i.ref, i.id, "no image") }

// Command is a container that runs a program of the image. With no arguments it runs the image's
// entrypoint and command; with arguments these take the command's place behind the entrypoint, if the
// image has one. Nothing happens before Start.
func (i *Image) Command(arg ...string) *Container {
	args := arg
	if n := len(i.config.entrypoint); n > 0 && len(arg) > 0 {
		args = append(append(make([]string, 0, n+len(arg)), i.config.entrypoint...), arg...)
	}
	c := i.engine.New(Spec{Image: i.id, Args: args})
	c.image = i
	return c
}

// directory is the path of a RootFS image.
func directory(id string) (string, bool) { return strings.CutPrefix(id, dirImage) }
