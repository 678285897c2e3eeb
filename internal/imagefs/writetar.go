package imagefs

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/caisson-go/caisson/internal/layer"
)

// WriteTar writes the image as one tar file, its whiteouts applied: the directories, links and devices in the order of
// their names, then the contents in the order of the layers. So each layer is read once, forwards, beside the once for
// the index, and however large the files are, memory is that of the index and of the names. The same image gives the
// same bytes.
//
// Of several names of a file the first in order has the content. Directories with files come a second time at the end,
// with the time that making the files has changed for those who extract them, and until then their owner may write in
// them. Attributes that overlayfs, or the host's security modules, would take for their own are left out, as they are
// when layers are unpacked.
//
// Links can lead layers deeper than a name can be long: a path beyond Options.Layer.Path is a *layer.LimitError.
//
// Errors: *Error, the error of w, ctx.Err(). After an error the file ends too early.
func (f *FS) WriteTar(ctx context.Context, w io.Writer) error {
	root, err := f.tree(ctx)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 256<<10) // headers and what fills up blocks are small
	t := &tarOut{ctx: ctx, fsys: f, w: tar.NewWriter(out), first: map[*node]named{}, buf: make([]byte, 128<<10)}
	if err := t.tree(named{node: root}, ""); err != nil {
		return err
	}
	slices.SortFunc(t.files, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.node.layer, b.node.layer), cmp.Compare(a.node.at, b.node.at), cmp.Compare(a.turn, b.turn))
	})
	in := &forwards{fsys: f}
	if err := errors.Join(t.contents(in), in.close()); err != nil {
		return err
	}
	for _, d := range t.again {
		if err := t.header(d.node, d.path(), d.node.mode); err != nil {
			return err
		}
	}
	if err := t.w.Close(); err != nil {
		return err
	}
	return out.Flush()
}

// tarOut is a tar file that is being written.
type tarOut struct {
	ctx   context.Context
	fsys  *FS
	w     *tar.Writer
	first map[*node]named // the names under which things without content were written
	files []named
	again []named // directories that files are made in
	buf   []byte
}

// tree writes what has no content, and lists what has.
func (t *tarOut) tree(f named, name string) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	n := f.node
	if most := t.fsys.o.Layer.Path; len(name) > most {
		err := &layer.LimitError{What: "bytes in a path", Max: int64(most)}
		return &Error{Layer: t.fsys.layers[n.layer].Name, Entry: name, Err: err}
	}
	switch {
	case n.isDir():
		return t.directory(f, name)
	case n.mode.IsRegular():
		f.turn = len(t.files)
		t.files = append(t.files, f)
		return nil
	}
	if first, ok := t.first[n]; ok {
		return t.link(n, name, first.path())
	}
	t.first[n] = f
	return t.header(n, name, n.mode)
}

func (t *tarOut) directory(f named, name string) error {
	n, self, in := f.node, name, &place{in: f.in, base: f.base}
	if name == "" {
		self = "."
	} else {
		name += "/"
	}
	mode := n.mode
	if len(n.dir.list) > 0 {
		mode |= 0o700
	}
	if mode != n.mode || slices.ContainsFunc(n.dir.list, func(c child) bool { return c.node.mode.IsRegular() }) {
		t.again = append(t.again, f)
	}
	if err := t.header(n, self, mode); err != nil {
		return err
	}
	for _, c := range n.dir.list {
		if err := t.tree(named{node: c.node, in: in, base: c.name}, name+c.name); err != nil {
			return err
		}
	}
	return nil
}

// contents writes the regular files. The names of one follow each other.
func (t *tarOut) contents(in *forwards) error {
	var first named
	for _, f := range t.files {
		err := t.ctx.Err()
		switch {
		case err != nil:
		case f.node == first.node:
			err = t.link(f.node, f.path(), first.path())
		default:
			first = f
			err = t.content(f, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tarOut) content(f named, in *forwards) error {
	if err := t.header(f.node, f.path(), f.node.mode); err != nil {
		return err
	}
	if f.node.size == 0 {
		return nil
	}
	r, err := in.open(f.node)
	if err == nil {
		src := &remembering{r: r}
		var n int64
		n, err = io.CopyBuffer(struct{ io.Writer }{t.w}, io.LimitReader(src, f.node.size), t.buf)
		if err != nil && src.err == nil {
			return err // of the writer
		}
		if err == nil && n < f.node.size {
			err = io.ErrUnexpectedEOF // the blob is not what was indexed
		}
	}
	if err != nil {
		return &Error{Layer: in.fsys.layers[f.node.layer].Name, Entry: f.path(), Err: err}
	}
	return nil
}

// remembering remembers its error, which is told from that of the writer by it.
type remembering struct {
	r   io.Reader
	err error
}

// Read reads on.
func (s *remembering) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// header writes the header of a file that is not a link to another.
func (t *tarOut) header(n *node, name string, mode fs.FileMode) error {
	h := n.header(name)
	h.Mode = tarMode(mode)
	h.Format = tar.FormatPAX // the others have no parts of seconds
	for key := range h.PAXRecords {
		if !portable(strings.TrimPrefix(key, paxXattr)) {
			delete(h.PAXRecords, key)
		}
	}
	return t.w.WriteHeader(h)
}

// link writes another name of a file.
func (t *tarOut) link(n *node, name, to string) error {
	return t.w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeLink, Name: name, Linkname: to, Mode: tarMode(n.mode), ModTime: n.modTime(), Format: tar.FormatPAX,
		Uid: n.owner.uid, Gid: n.owner.gid, Uname: n.owner.uname, Gname: n.owner.gname,
	})
}

// portable reports an attribute that is the image's and not the host's.
func portable(name string) bool {
	switch name {
	case "security.capability", "system.posix_acl_access", "system.posix_acl_default":
		return true
	}
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

// forwards reads files in the order of the layers, with one layer open at a time.
type forwards struct {
	fsys  *FS
	layer int32
	in    io.ReadCloser // a *plain or a *cursor
}

// open goes to the content of a file, which must not lie before that of the last one.
func (s *forwards) open(n *node) (io.Reader, error) {
	if s.in != nil && s.layer != n.layer {
		if err := s.close(); err != nil {
			return nil, err
		}
	}
	if s.in == nil {
		in, err := openStream(&s.fsys.layers[n.layer])
		if err != nil {
			return nil, err
		}
		s.in, s.layer = in, n.layer
	}
	if err := s.seek(n.at); err != nil {
		return nil, err
	}
	if !n.is(hasHoles) {
		return s.in, nil
	}
	tr := tar.NewReader(s.in) // reads whole blocks and no further
	_, err := tr.Next()
	return tr, err
}

func (s *forwards) seek(pos int64) error {
	if c, ok := s.in.(*cursor); ok {
		return c.skip(pos)
	}
	_, err := s.in.(io.Seeker).Seek(pos, io.SeekStart)
	return err
}

func (s *forwards) close() error {
	if s.in == nil {
		return nil
	}
	in := s.in
	s.in = nil
	return in.Close()
}
