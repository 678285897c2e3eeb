package caisson

import (
	"context"
	"iter"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// DiskUsage is what an engine's images take on the disk, as docker system df has it. Sizes are in bytes: of blobs as they
// are packed, of unpacked layers the sum of their files.
type DiskUsage struct {
	Images      []ImageUsage // those with and without names, an index with its images as one
	Blobs       ObjectUsage  // indexes, manifests, configurations and packed layers
	Layers      ObjectUsage  // unpacked
	Reclaimable int64        // what PruneImages with All would free now
}

// ObjectUsage is a number of objects and their size together, in bytes.
type ObjectUsage struct {
	Number int   // how many
	Bytes  int64 // together
}

// ImageUsage is what one image takes.
type ImageUsage struct {
	Names  []string // full references
	ID     string   // of the manifest, or of the index for several platforms
	Images int      // manifests that are here: one, or those of the index
	Size   int64    // Shared and Unique together
	Shared int64    // what other images have too
	Unique int64    // what no other image has
	InUse  bool     // a container uses it
}

// DiskUsage adds up what the images take. What changes meanwhile may be counted half.
//
// Errors: *Error; ctx.Err.
func (e *Engine) DiskUsage(ctx context.Context) (*DiskUsage, error) {
	s, err := e.open(ctx, "usage", "images")
	if err != nil {
		return nil, err
	}
	u, err := s.DiskUsage(ctx)
	if err != nil {
		return nil, imageError("usage", "images", err)
	}
	out := &DiskUsage{Blobs: ObjectUsage(u.Blobs), Layers: ObjectUsage(u.Layers), Reclaimable: u.Reclaimable}
	for _, i := range u.Images {
		out.Images = append(out.Images, ImageUsage{i.Names, i.Digest.String(), i.Images, i.Size, i.Shared, i.Unique, i.InUse})
	}
	return out, nil
}

// CheckOptions refine Check. The zero value, and nil, are the defaults.
type CheckOptions struct {
	// Repair removes what is damaged, so that pulling the image again makes it anew.
	Repair bool
}

// Problem is one thing that Check has found to be damaged.
type Problem struct {
	Object   string   // a digest, of a blob or of an unpacked layer; "index.json"
	What     string   // what is wrong, in words; of a layer the first path with it
	Images   []string // the names of the images that have the object
	Repaired bool     // it has been removed, or made anew
	Pull     bool     // pulling one of the images brings it back
}

// Check reads every blob and every unpacked layer of the engine again, and yields what is not as it was when it came:
// one bit in a file is found, and so are a mode, an owner, a name that is missing or too much. It takes as long as pulling
// everything would without the network.
//
// Errors: *Error, ErrInUse among them for a damaged layer of a running container, which is not removed; ctx.Err. They
// come beside their Problem.
func (e *Engine) Check(ctx context.Context, o *CheckOptions) iter.Seq2[Problem, error] {
	if o == nil {
		o = &CheckOptions{}
	}
	return func(yield func(Problem, error) bool) {
		s, err := e.open(ctx, "check", "images")
		if err != nil {
			yield(Problem{}, err)
			return
		}
		for found, err := range s.Check(ctx, store.CheckOptions{Decompress: registry.Decompress, Layer: e.checkOptions()}) {
			p := Problem{Object: "index.json", What: found.What, Images: found.Images, Pull: found.Pull}
			if found.Object != (v1.Hash{}) {
				p.Object = found.Object.String()
			}
			if err == nil && o.Repair {
				err = s.Repair(ctx, found)
				p.Repaired = err == nil
			}
			if !yield(p, imageError("check", p.Object, err)) {
				return
			}
		}
	}
}
