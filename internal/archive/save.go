package archive

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// Format is how Save writes images.
type Format int

const (
	// DockerArchive is read by docker load of every version since 1.10, podman load, and all that read OCI archives.
	DockerArchive Format = iota
	// OCIArchive is an OCI image layout in a tar file.
	OCIArchive
)

// SaveOptions are the options of Save and SaveDir. The zero value is useful.
type SaveOptions struct {
	// Format of the file. Zero: DockerArchive. SaveDir has no use for it.
	Format Format

	// Platform says which image of an index for several platforms manifest.json of a DockerArchive names; its readers
	// know no indexes. All are saved. Nil: Linux on the architecture of this program.
	Platform *v1.Platform
}

// Save writes images of the store, by the names or digests that Resolve takes, as one tar file. An image that is asked
// for by name has that name in the archive, by digest none. Of an image for several platforms all are saved that the
// store has. The blobs are those of the store, so that manifests and digests stay what they are; layers keep their
// compression, and a DockerArchive has those that are compressed with zstd a second time, unpacked, for the Dockers that
// can not read them. The bytes depend on the images and the set of names alone.
//
// Nothing is written before all documents have been verified and all layers are known to be there; the layers are
// verified while they are written. When ctx ends, a Write that blocks is ended if w has a SetWriteDeadline that works.
//
// Errors: *Error around fs.ErrNotExist (no such image, or a blob of it is not there), store.ErrDigest,
// store.ErrDocument, fs.ErrInvalid (no name), the error of w, ctx.Err(). After an error the file ends too early, which
// its readers notice.
func Save(ctx context.Context, w io.Writer, s *store.Store, names []string, o SaveOptions) error {
	defer interruptWrite(ctx, w)()
	return finish(ctx, "save", save(ctx, s, names, o, func() sink { return newTarSink(w) }))
}

func save(ctx context.Context, s *store.Store, names []string, o SaveOptions, open func() sink) error {
	if o.Platform == nil {
		o.Platform = store.Here()
	}
	items, err := find(s, names)
	if err != nil {
		return err
	}
	// Nothing of the images is removed meanwhile. Where that can not be arranged, as on a full disk, a removal is an
	// error of Save and no harm.
	if release, err := s.Begin(ctx); err == nil {
		defer release()
	}
	out, err := gather(ctx, s, items)
	if err != nil {
		return err
	}
	if o.Format == DockerArchive {
		if err := out.unpackZstd(ctx, *o.Platform); err != nil {
			return err
		}
	}
	docs, err := out.documents(o)
	if err != nil {
		return err
	}
	to := open()
	for _, d := range docs {
		if err := to.file(d.name, d.content); err != nil {
			return err
		}
	}
	for _, d := range out.blobs {
		err := to.blob(d.Digest, d.Size, func(w io.Writer) error { return out.s.copyTo(ctx, w, d) })
		if err != nil {
			return fail(d.Digest.String(), err, "")
		}
	}
	for _, l := range out.extra() {
		err := to.blob(l.diffID, l.size, func(w io.Writer) error { _, err := out.s.unpackTo(ctx, w, l); return err })
		if err != nil {
			return fail(l.blob.Digest.String(), err, "")
		}
	}
	return to.close()
}

// copyTo writes a blob, and verifies it meanwhile.
func (s stored) copyTo(ctx context.Context, w io.Writer, d v1.Descriptor) error {
	rc, err := s.s.Blob(d.Digest)
	if err != nil {
		return err
	}
	defer rc.Close()
	h := newHashed(ctx, rc)
	if _, err := io.Copy(w, h); err != nil {
		return err
	}
	return h.verify(d.Digest)
}
