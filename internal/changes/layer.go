package changes

import (
	"context"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// Result is what came of writing an archive.
type Result struct {
	DiffID  v1.Hash // digest of the archive as written, uncompressed
	Size    int64   // its bytes
	Entries int64   // its entries, whiteouts among them
	Skips   int64   // things left out
	Skipped []Skip  // the first 256 of them
}

// Skip names one thing that an archive cannot hold.
type Skip struct {
	Path   string // absolute, inside the container
	What   string // "socket", or the name of an extended attribute
	Reason string // why, in words
}

// The names with a meaning of their own, from the image specification ("Whiteouts").
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
)

// WriteLayer writes the upper directory of a tree as a layer: an uncompressed tar archive in PAX format that, unpacked
// over the same layers, shows the same files. A removed name is a ".wh." entry, a directory that hides what is below it has
// ".wh..wh..opq" in it, and names of one file are hard links. Holes are written as zeros, because the image specification
// advises against sparse entries. The same tree gives the same bytes.
//
// Sockets are left out, and names that begin with ".wh.", which would say something else; Result has them.
//
// The container should be paused: a name that is gone when it is come to is left out, but a file that changes while it is
// read is an error.
//
// Errors: *Error around ErrChanged, ErrRedirect, ErrMetacopy, a *LimitError, the error of Tree.Owner or of w, the errno;
// ctx.Err().
func WriteLayer(ctx context.Context, w io.Writer, t Tree) (Result, error) {
	a := newArchive(ctx, w, &t, t.Limits.forLayer())
	a.layer = true
	return a.run()
}

// Export writes the whole tree as a tar archive in PAX format, as docker export does: what the container sees, without
// anything that is mounted in it.
//
// Sockets are left out. Errors are those of WriteLayer.
func Export(ctx context.Context, w io.Writer, t Tree) (Result, error) {
	return newArchive(ctx, w, &t, t.Limits.withDefaults()).run()
}

// run writes the archive.
func (a *archive) run() (Result, error) {
	defer a.close()
	err := a.walk()
	if err == nil {
		err = a.finish()
	}
	return a.result, err
}

func (a *archive) walk() error {
	upper, lower, err := a.tops()
	if err != nil {
		return err
	}
	stack := lower
	if a.layer {
		stack = nil
	}
	if upper != nil {
		stack = append([]*node{upper}, stack...)
	}
	if len(stack) == 0 {
		return nil
	}
	if err := a.root(stack); err != nil {
		return err
	}
	return a.visitAll(a.visit, func(*frame) error {
		a.pop()
		return nil
	})
}

// root writes the entry of the root directory and enters it. Overlayfs merges the roots of all layers whatever they are
// marked with.
func (a *archive) root(stack []*node) error {
	d, err := a.pool.get(stack[0])
	if err != nil {
		return fail("open", "", err)
	}
	looked := d.Looks([]string{"."})[0]
	if looked.Err != nil {
		return fail("stat", "", looked.Err)
	}
	list, err := d.Xattrs(keepXattr)
	if err != nil {
		return fail("getxattr", "", err)
	}
	h, err := a.header("", &looked, list)
	if err == nil {
		err = a.write(h)
	}
	if err != nil {
		return err
	}
	a.push(&frame{stack: stack})
	return nil
}

// visit writes the entry of one name.
func (a *archive) visit(f *frame, it *item) error {
	path := a.below(f, it.name)
	switch {
	case it.IsWhiteout() && !a.layer:
		return nil
	case it.IsWhiteout():
		return a.whiteout(f, it)
	case a.layer && strings.HasPrefix(it.name, whiteoutPrefix):
		a.skip(path, "name", "it would mean that another name was removed")
		return nil
	case it.Type() == sys.S_IFDIR:
		return a.directory(f, it, path)
	case it.Type() == sys.S_IFSOCK:
		a.skip(path, "socket", "an archive cannot hold it, and nobody would listen")
		return nil
	case a.made[path] && it.Type() == sys.S_IFREG && it.Size == 0:
		return nil
	}
	if done, err := a.hardLink(path, it); done || err != nil {
		return err
	}
	return a.file(f, it, path)
}

// directory writes the entry of a directory and enters it.
func (a *archive) directory(f *frame, it *item, path string) error {
	n, list, m, err := a.dir(f.stack[it.top], path, it.name, &it.Look, keepXattr)
	if err != nil || n == nil {
		return err
	}
	h, err := a.header(path, &it.Looked, list)
	if err != nil {
		return err
	}
	child := &frame{name: it.name, stack: []*node{n}}
	if !m.opaque && it.top+1 < len(f.stack) {
		below, err := a.merged(f.stack[it.top+1:], path, it.name)
		if err != nil {
			return err
		}
		child.stack = append(child.stack, below...)
	}
	h.opaque = m.opaque && a.layer
	if a.made[path] && !h.opaque {
		child.note.header = h
	} else if err := a.write(h); err != nil {
		return err
	}
	a.push(child)
	return nil
}
