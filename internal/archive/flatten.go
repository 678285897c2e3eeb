package archive

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/v1image"
)

// Flatten writes the root file system of an image, by the digest of its manifest, as one tar file: what docker export
// gives of a container that was just made. It is read from the blobs, so the image need not be unpacked; see
// imagefs.FS.WriteTar. The same image gives the same bytes.
//
// Errors: *Error around those of v1image.FS and imagefs.FS.WriteTar.
func Flatten(ctx context.Context, w io.Writer, s *store.Store, digest v1.Hash) error {
	defer interruptWrite(ctx, w)()
	return finish(ctx, "export", fail(digest.String(), flatten(ctx, w, s, digest), ""))
}

func flatten(ctx context.Context, w io.Writer, s *store.Store, digest v1.Hash) error {
	fsys, err := v1image.FS(s, digest, nil)
	if err != nil {
		return err
	}
	return fsys.WriteTar(ctx, w)
}
