package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/layer"
)

// A layer may have files in a directory that it has no entry for. It is unpacked for itself, so that the directory gets a
// look that nobody asked for, and overlayfs shows that instead of the look in the layers below. Images with such layers
// get a cover: one more layer, of directories only, that has the right look of them. It is kept among the others under
// the digest of their diff ids. The cover of layers that turn out to need none is there too, and empty, so that they are
// looked at once.

// coverID is the name of the cover of an image.
func coverID(diffIDs []v1.Hash) v1.Hash {
	sum := sha256.New()
	_, _ = io.WriteString(sum, "cover\n")
	for _, h := range diffIDs {
		_, _ = fmt.Fprintln(sum, h)
	}
	return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sum.Sum(nil))}
}

// Cover makes what the layers of an image need beside themselves to be mounted, if they need anything and it is not there:
// a layer with those directories that one of them has no entry for and another below it has. The layers must be there,
// unpacked with the same options.
//
// Errors: *Error around ErrIncomplete, which is fs.ErrNotExist too; ErrDigest for a damaged record, *layer.Error,
// *changes.Error, ErrLayerOptions, ctx.Err(), the errno.
func (s *Store) Cover(ctx context.Context, diffIDs []v1.Hash, o layer.Options) error {
	return wrap("cover", coverID(diffIDs).String(), s.cover(ctx, diffIDs, o))
}

func (s *Store) cover(ctx context.Context, diffIDs []v1.Hash, o layer.Options) error {
	if !layer.Supported || len(diffIDs) < 2 {
		return nil
	}
	root, err := s.read()
	if err != nil {
		return err
	}
	defer root.Close()
	layers, implied, err := pile(root, diffIDs)
	if err != nil || !implied {
		return err
	}
	return s.fillLayer(ctx, coverID(diffIDs), o, func(root disk, dir *os.File) (stats layer.Stats, err error) {
		err = coverOf(ctx, root, layers, o, func(r io.Reader) error {
			stats, err = layer.Unpack(ctx, dir, r, o)
			return err
		})
		return stats, err
	})
}

// coverOf hands over the cover of layers as a tar stream.
func coverOf(ctx context.Context, root disk, layers []v1.Hash, o layer.Options, use func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeCover(ctx, w, root, layers, o)
		_ = w.CloseWithError(err)
		written <- err
	}()
	err := use(r)
	if err != nil {
		cancel()
	}
	_ = r.Close()
	werr := <-written
	cancel()
	if err != nil {
		return err
	}
	return werr
}

// writeCover reads the layers with the rights of whoever they belong to.
func writeCover(ctx context.Context, w io.Writer, root disk, layers []v1.Hash, o layer.Options) error {
	opener, done, err := openerFor(o)
	if err != nil {
		return err
	}
	defer done()
	t := changes.Tree{UserXattr: o.UserXattr, Opener: opener}
	var implied [][]string
	for _, h := range layers {
		dir, err := root.Open("layers/" + h.Hex + "/fs")
		if err != nil {
			return err
		}
		defer dir.Close()
		t.Lower = append(t.Lower, dir)
		paths, err := readImplied(root, h)
		if err != nil {
			return &Error{Op: "layer", Path: h.String(), Err: err, Hint: "check the store, repair the layer and pull the image again"}
		}
		if r, _ := readRecord(root, h); r.RootImplied {
			paths = append(paths, "")
		}
		implied = append(implied, paths)
	}
	_, err = changes.WriteCover(ctx, w, t, implied)
	return err
}

// writeImplied puts down the directories that a layer has no entry for: their digest as a line of JSON, and then each with
// a NUL behind it, which none has in its name. They are not in the record, which is read at every start.
func writeImplied(st *stage, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, p := range paths {
		b.WriteString(p)
		b.WriteByte(0)
	}
	return writeFile(st.root, st.path+"/layer/implied", fmt.Appendf(nil, "%q\n%s", sumOf(b.Bytes()), b.Bytes()))
}

// maxImpliedFile bounds what readImplied reads: package layer allows half of it.
const maxImpliedFile = 32 << 20

// readImplied reads them; none if there is no file.
func readImplied(root disk, h v1.Hash) ([]string, error) {
	f, err := root.Open("layers/" + h.Hex + "/implied")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImpliedFile))
	if err != nil {
		return nil, err
	}
	sum, names, _ := bytes.Cut(b, []byte("\n"))
	if string(sum) != fmt.Sprintf("%q", sumOf(names)) || !bytes.HasSuffix(names, []byte{0}) {
		return nil, ErrDigest
	}
	return strings.Split(string(names[:len(names)-1]), "\x00"), nil
}
