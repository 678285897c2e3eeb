package archive

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// NamePolicy says what becomes of the names that an archive claims for its images.
type NamePolicy int

const (
	// NewNames gives an image the names that no other image of the store has. An archive does not redirect what the
	// caller already knows by a name.
	NewNames NamePolicy = iota
	// AllNames takes the names from the images that have them, as docker load does.
	AllNames
	// NoNames gives none: the caller names the images by what Load returns.
	NoNames
)

// LoadOptions are the options of Load and LoadDir. The zero value is useful.
type LoadOptions struct {
	// Names says what becomes of the names in the archive. Zero: NewNames.
	Names NamePolicy

	// Platform says which images of an index are unpacked; all are kept. Its Variant counts if it is set. Nil: Linux
	// on the architecture of this program.
	Platform *v1.Platform

	// Layer says how layers are unpacked. Nil: layer.Defaults.
	Layer *layer.Options

	// Jobs is how many layers are unpacked at once. Zero: 3.
	Jobs int

	// Limits bounds the archive; zero fields have defaults.
	Limits Limits
}

func (o LoadOptions) withDefaults() LoadOptions {
	if o.Platform == nil {
		o.Platform = store.Here()
	}
	if o.Layer == nil {
		d := layer.Defaults()
		o.Layer = &d
	}
	if o.Jobs <= 0 {
		o.Jobs = 3
	}
	return o
}

// Loaded is an image that came into the store.
type Loaded struct {
	Digest v1.Hash  // of its manifest, or of its index of several
	ID     v1.Hash  // of its configuration, by which Docker knows it; that for the platform if there are several, or zero
	Names  []string // full references that it has now
	Kept   []string // names that the archive claims and that stay with another image

	// Tag is what the archive calls the image where that is a tag alone, as umoci writes. It is no name.
	Tag string
}

// Load reads an archive of images, plain or compressed with gzip, zstd or bzip2, to its end, and puts the images in the
// store, their layers unpacked. The names come last: after an error none of the images is visible. When ctx ends, a Read
// of r that blocks is ended if r has a SetReadDeadline that works, as pipes and connections have; else Load ends after
// it.
//
// Errors: *Error, see there; ErrFormat and ErrEntry for what is no archive of images, ErrMissing, ErrTooLarge,
// ErrCompression, store.ErrDigest, store.ErrSize, store.ErrDocument, store.ErrName; *layer.Error; ctx.Err().
func Load(ctx context.Context, r io.Reader, s *store.Store, o LoadOptions) ([]Loaded, error) {
	defer interruptRead(ctx, r)()
	loaded, err := loadTar(ctx, r, s, o.withDefaults())
	return loaded, finish(ctx, "load", err)
}

func loadTar(ctx context.Context, r io.Reader, s *store.Store, o LoadOptions) ([]Loaded, error) {
	release, err := s.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	in, err := s.NewIntake(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	sc, err := read(ctx, r, in, o.Limits)
	if err != nil {
		return nil, err
	}
	m := &made{contents: staged{in}, docs: map[v1.Hash][]byte{}, s: s}
	list, err := sc.images(m, o.Limits)
	if err != nil {
		return nil, err
	}
	return keep(ctx, s, m, list, &o)
}
