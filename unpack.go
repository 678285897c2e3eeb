package caisson

import (
	"context"
	"errors"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// unpacked is an image whose layers are there to be mounted. Those that have only been kept so far, of an image that
// was loaded for another platform or pushed here, are unpacked now, and so are those that the disk did not have yet when
// the machine was started anew.
func (e *Engine) unpacked(ctx context.Context, img *Image) (*Image, error) {
	if img == nil || img.stored == nil || img.layers != nil || len(img.stored.Config.RootFS.DiffIDs) == 0 {
		return img, nil
	}
	s, err := e.images()
	if err != nil {
		return nil, err
	}
	if _, err := s.Resolve(img.id); err == nil || !errors.Is(err, store.ErrIncomplete) {
		return e.again(img)
	}
	layers := e.layerOptions()
	if err := registry.Unpack(ctx, s, img.stored, img.String(), registry.Options{Layer: &layers}); err != nil {
		return nil, imageError("unpack", img.String(), err)
	}
	return e.again(img)
}

// again is an image as the store has it now.
func (e *Engine) again(img *Image) (*Image, error) {
	now, err := e.resolve(img.String(), img.id, "it has been removed; pull it again")
	if err == nil {
		now.ref = img.ref
	}
	return now, err
}
