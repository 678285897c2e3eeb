package v1image

import (
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// MediaType is the media type that a manifest or index has by itself: what it says, or if it does not, as the OCI
// specification allows, the OCI type of its kind.
//
// Errors: store.ErrDocument for what is neither.
func MediaType(raw []byte) (types.MediaType, error) {
	var d struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Config    json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrDocument, err)
	}
	switch {
	case d.MediaType.IsImage() || d.MediaType.IsIndex():
		return d.MediaType, nil
	case d.MediaType != "":
	case d.Manifests != nil:
		return types.OCIImageIndex, nil
	case d.Config != nil:
		return types.OCIManifestSchema1, nil
	}
	return "", fmt.Errorf("%w: media type %.100q is neither that of a manifest nor of an index", store.ErrDocument, d.MediaType)
}

// bound refuses a document that is too large to be one, before it is looked at.
func bound(b []byte, err error) ([]byte, error) {
	if err == nil && len(b) > store.MaxDocument {
		err = fmt.Errorf("%w: a document of %d bytes", store.ErrTooLarge, len(b))
	}
	return b, err
}
