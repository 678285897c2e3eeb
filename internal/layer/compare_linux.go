package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// Compare reads the tar stream of a layer again, to its end, and compares what it says with the directory that Unpack
// has made of it: names, types, modes, owners, times, attributes, link counts and content. Nothing is changed. o are the
// options of the unpacking, with Owner for the ids on the disk; made is what came of it: what was left out then is not
// missing now.
//
// What the caller may not read is read by a process in the user namespace that it belongs to, see Reader.
//
// The times, modes and owners of whiteouts are not compared, as they mean nothing, nor what access control lists say.
//
// Errors: *Error naming the entry if the stream is not one that can be unpacked, or the error of r; ctx.Err(); the errno.
func Compare(ctx context.Context, dir *os.File, r io.Reader, o Options, made Stats) (Comparison, error) {
	o.Limits = o.Limits.withDefaults()
	c := &comparer{dir: dir, m: newModel(&o), buf: make([]byte, 128<<10), other: make([]byte, 128<<10), made: made}
	c.denied = denied{dir: dir, o: &o}
	defer c.denied.close()
	if err := c.read(ctx, stream(ctx, r, o.Limits)); err != nil {
		return c.Comparison, err
	}
	return c.Comparison, c.walk(ctx)
}

// comparer compares in two passes. The first goes through the stream, builds a model of the tree, and compares the
// content of files on the way, as it is known only then. The second goes through the directory.
type comparer struct {
	dir        *os.File
	m          *model
	buf, other []byte
	made       Stats
	denied     denied
	Comparison
}

// read is the first pass.
func (c *comparer) read(ctx context.Context, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return readError(err)
		}
		if err := ctx.Err(); err != nil {
			return &Error{Op: "read", Path: h.Name, Err: err}
		}
		n, err := c.m.entry(h)
		if err == nil && n != nil && n.typ == syscall.S_IFREG && h.Typeflag != tar.TypeLink {
			n.bad, err = c.content(n, tr)
		}
		if err != nil {
			var e *Error
			if errors.As(err, &e) && e.Path == "" {
				e.Path = h.Name
			}
			return err
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return readError(err)
	}
	return nil
}

// content compares a file with what the stream has for it, and says what is wrong. A name that comes again later in the
// stream has another content by then; that is found to be wrong here, and forgotten with the entry.
func (c *comparer) content(n *twin, body io.Reader) (bad string, err error) {
	f, err := c.denied.open(n.path(), sys.O_RDONLY)
	switch {
	case errors.Is(err, os.ErrPermission):
		n.unread = true
		return "", nil
	case err != nil:
		return "can not be read: " + err.Error(), nil
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return "is not a file", nil
	}
	for {
		want, rerr := io.ReadFull(body, c.buf)
		if rerr != nil && rerr != io.EOF && rerr != io.ErrUnexpectedEOF {
			return "", readError(rerr)
		}
		got, ferr := io.ReadFull(f, c.other[:want])
		n.size += int64(want)
		switch {
		case ferr == io.ErrUnexpectedEOF || ferr == io.EOF && want > 0:
			return "content is cut short", nil
		case ferr != nil && ferr != io.EOF:
			return "can not be read: " + ferr.Error(), nil
		case !bytes.Equal(c.buf[:want], c.other[:got]):
			return "content", nil
		}
		if rerr == nil {
			continue
		}
		if extra, _ := f.Read(c.other[:1]); extra > 0 {
			return "content is too long", nil
		}
		return "", nil
	}
}
