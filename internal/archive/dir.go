package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// LoadDir is Load for an image layout in a directory, as umoci and skopeo write it. Its files have to be regular:
// a link, even to another blob, is ErrEntry. Somebody may change the directory meanwhile; what comes into the store has
// the digests that the index and the manifests name all the same.
func LoadDir(ctx context.Context, dir string, s *store.Store, o LoadOptions) ([]Loaded, error) {
	loaded, err := loadDir(ctx, dir, s, o.withDefaults())
	return loaded, finish(ctx, "load", err)
}

func loadDir(ctx context.Context, dir string, s *store.Store, o LoadOptions) ([]Loaded, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fail(dir, err, "")
	}
	defer root.Close()
	c := layoutDir{root, s}
	docs := map[string][]byte{}
	for _, name := range []string{layoutName, indexName} {
		b, err := c.document(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // decodeLayout says what that means
		}
		if err != nil {
			return nil, fail(name, err, "")
		}
		docs[name] = b
	}
	limits := o.Limits.withDefaults()
	index, err := decodeLayout(docs, limits.Images)
	if err != nil {
		return nil, err
	}
	list, err := layoutImages(index, newReading(ctx, c, s, limits.Images).load)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fail(indexName, fmt.Errorf("%w: it names no image", ErrFormat), "")
	}
	if err := checkNames(list, 4*limits.Images); err != nil {
		return nil, err
	}
	release, err := s.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return keep(ctx, s, c, list, &o)
}

// layoutDir is the content of an image layout on the disk.
type layoutDir struct {
	root *os.Root
	s    *store.Store
}

// open opens a regular file. What it is, is looked at again when it is open.
func (l layoutDir) open(name string) (*os.File, int64, error) {
	was, err := l.root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !was.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("not a regular file: %w", ErrEntry)
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	is, err := f.Stat()
	if err == nil && !os.SameFile(was, is) {
		err = fmt.Errorf("it changes: %w", ErrEntry)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, is.Size(), nil
}

func (l layoutDir) document(name string) ([]byte, error) {
	f, size, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > store.MaxDocument {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	return io.ReadAll(io.LimitReader(f, store.MaxDocument))
}

func (l layoutDir) present(d v1.Descriptor) error {
	if d.Digest.Algorithm != "sha256" {
		return sized(d, 0, false)
	}
	f, size, err := l.open(sha256Dir + d.Digest.Hex)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(d.Digest.String(), err, "")
	}
	if err == nil {
		f.Close()
	}
	return sized(d, size, err == nil)
}

// Open opens a blob, which is not verified by that.
func (l layoutDir) Open(h v1.Hash) (io.ReadCloser, error) {
	f, _, err := l.open(sha256Dir + h.Hex)
	return f, err
}

func (l layoutDir) keep(ctx context.Context, d v1.Descriptor) error {
	f, _, err := l.open(sha256Dir + d.Digest.Hex)
	if err != nil {
		return err
	}
	defer f.Close()
	return l.s.PutBlob(ctx, d.Digest, d.Size, f)
}
