package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// SaveDir is Save for an image layout in a directory, which is made if it is not there, and must be empty. index.json is
// written last. After an error the directory holds part of the blobs.
func SaveDir(ctx context.Context, dir string, s *store.Store, names []string, o SaveOptions) error {
	o.Format = OCIArchive
	return finish(ctx, "save", saveDir(ctx, dir, s, names, o))
}

func saveDir(ctx context.Context, dir string, s *store.Store, names []string, o SaveOptions) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(dir, err, "")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(dir, err, "")
	}
	defer root.Close()
	if has, err := anything(root); err != nil {
		return fail(dir, err, "")
	} else if has {
		return fail(dir, fs.ErrExist, "save into an empty directory")
	}
	return save(ctx, s, names, o, func() sink { return &dirSink{root: root} })
}

func anything(root *os.Root) (bool, error) {
	d, err := root.Open(".")
	if err != nil {
		return false, err
	}
	defer d.Close()
	names, err := d.Readdirnames(1)
	if err == io.EOF {
		err = nil
	}
	return len(names) > 0, err
}

// dirSink writes an image layout to the disk.
type dirSink struct {
	root *os.Root
	docs []namedDoc
}

func (d *dirSink) file(name string, content []byte) error {
	d.docs = append(d.docs, namedDoc{name, content})
	return nil
}

func (d *dirSink) blob(h v1.Hash, size int64, write func(io.Writer) error) error {
	if err := d.root.MkdirAll(sha256Dir, 0o755); err != nil {
		return err
	}
	f, err := d.root.OpenFile(sha256Dir+h.Hex, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func (d *dirSink) close() error {
	for _, doc := range d.docs { // oci-layout, then index.json
		if err := d.root.WriteFile(doc.name, doc.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
