package imagefs

import (
	"archive/tar"
	"io"
)

// content is the content of a file, read from some offset on.
type content struct {
	r     io.Reader
	pos   int64 // in the file
	close func() error
}

func (c *content) read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.pos += int64(n)
	return n, err
}

// content gets the content of a regular file from an offset on.
func (f *FS) content(n *node, off int64) (*content, error) {
	if n.is(hasHoles) {
		return f.sparse(n, off)
	}
	r, done, err := f.at(n, n.at+off)
	if err != nil {
		return nil, err
	}
	return &content{r: io.LimitReader(r, n.size-off), pos: off, close: done}, nil
}

// sparse lets package tar put the holes back, beginning with the header again.
func (f *FS) sparse(n *node, off int64) (*content, error) {
	r, done, err := f.at(n, n.at)
	if err != nil {
		return nil, err
	}
	tr := tar.NewReader(r)
	if _, err = tr.Next(); err == nil {
		_, err = io.CopyN(io.Discard, tr, off)
	}
	if err != nil {
		done()
		return nil, err
	}
	return &content{r: tr, pos: off, close: done}, nil
}

// at opens the tar stream that a file is in, at a position of it.
func (f *FS) at(n *node, pos int64) (io.Reader, func() error, error) {
	l := &f.layers[n.layer]
	if l.plain() {
		p, err := openPlain(l)
		if err != nil {
			return nil, nil, err
		}
		_, err = p.Seek(pos, io.SeekStart)
		return p, p.Close, err
	}
	c, err := f.idle.take(l, &f.index.made.Load().marks[n.layer], pos)
	if err != nil {
		return nil, nil, err
	}
	return c, func() error { return f.idle.give(c) }, nil
}
