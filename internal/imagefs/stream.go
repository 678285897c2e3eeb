package imagefs

import (
	"errors"
	"io"

	"github.com/caisson-go/caisson/internal/inflate"
)

// openStream opens the tar stream of a layer at its beginning.
func openStream(l *Layer) (io.ReadCloser, error) {
	if l.plain() {
		return openPlain(l)
	}
	return newCursor(l)
}

// plain is the tar stream of a layer that is not compressed.
type plain struct {
	*io.SectionReader
	io.Closer
}

func openPlain(l *Layer) (*plain, error) {
	blob, err := l.Open()
	if err != nil {
		return nil, err
	}
	// No more is known of the end than that it is where reading ends.
	return &plain{io.NewSectionReader(blob, 0, 1<<62), blob}, nil
}

// source is a blob read from its beginning. It can be parked, which closes the file: decoders that lie about idle for
// later hold no descriptor.
type source struct {
	layer *Layer
	blob  Blob
	off   int64
}

// Read opens the blob if need be.
func (s *source) Read(p []byte) (int, error) {
	if s.blob == nil {
		blob, err := s.layer.Open()
		if err != nil {
			return 0, err
		}
		s.blob = blob
	}
	n, err := s.blob.ReadAt(p, s.off)
	s.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (s *source) park() error {
	if s.blob == nil {
		return nil
	}
	blob := s.blob
	s.blob = nil
	return blob.Close()
}

// Close closes the blob.
func (s *source) Close() error { return s.park() }

// cursor is a position in the tar stream of a compressed layer.
type cursor struct {
	layer  *Layer
	src    *source
	r      io.ReadCloser
	pos    int64
	failed bool
}

func newCursor(l *Layer) (*cursor, error) {
	src := &source{layer: l}
	if l.Gzip {
		return &cursor{layer: l, src: src, r: gzipStream{inflate.NewReader(src), src}}, nil
	}
	r, err := l.Decompress(src)
	if err != nil {
		return nil, errors.Join(err, src.park())
	}
	return &cursor{layer: l, src: src, r: r}, nil
}

// cursorAt begins at a mark.
func cursorAt(l *Layer, m inflate.Mark) *cursor {
	src := &source{layer: l, off: m.In}
	return &cursor{layer: l, src: src, r: gzipStream{inflate.Resume(src, m), src}, pos: m.Out}
}

// gzipStream is a decoder with its source.
type gzipStream struct {
	*inflate.Reader
	io.Closer
}

// Read reads on.
func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.pos += int64(n)
	if err != nil { // at the end too: nothing more is to be had from it
		c.failed = true
	}
	return n, err
}

// skip goes forward to a position.
func (c *cursor) skip(to int64) error {
	_, err := io.CopyN(io.Discard, c, to-c.pos)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close ends the decoder.
func (c *cursor) Close() error { return c.r.Close() }
