package imagefs

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// ErrDiffID reports a layer whose tar stream is not the one that the image's configuration names.
var ErrDiffID = errors.New("the layer does not have its diff id")

// scan reads one layer from beginning to end and makes its tree.
type scan struct {
	*tree
	layer  int32
	in     *tally
	limits layer.Limits
	bytes  int64 // of files, as their headers have it
	left   int64 // entries
	owners map[owner]*owner
}

// scanLayer makes the tree of the layer with that number, and marks.
func scanLayer(ctx context.Context, l *Layer, number int, b *budget, m *marks) (*node, error) {
	s := &scan{
		tree: newTree(b), layer: int32(number), limits: b.o.Layer, left: b.o.Layer.Entries, owners: map[owner]*owner{},
	}
	s.in = &tally{ctx: ctx, max: s.limits.Bytes}
	stream, done, err := s.open(l, m)
	if err != nil {
		return nil, &Error{Layer: l.Name, Err: err}
	}
	defer done.Close()
	if err := s.run(stream); err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Layer = l.Name
			return nil, err
		}
		return nil, &Error{Layer: l.Name, Err: err}
	}
	if s.in.sum != nil && (l.DiffID.Algorithm != "sha256" || hex.EncodeToString(s.in.sum.Sum(nil)) != l.DiffID.Hex) {
		return nil, &Error{Layer: l.Name, Err: fmt.Errorf("%w %s", ErrDiffID, l.DiffID)}
	}
	return s.root, nil
}

// open opens the tar stream.
func (s *scan) open(l *Layer, m *marks) (io.Reader, io.Closer, error) {
	r, err := openStream(l)
	if err != nil {
		return nil, nil, err
	}
	s.in.r = r
	c, ok := r.(*cursor)
	if !ok {
		return &seekingTally{s.in, r.(io.Seeker)}, r, nil // contents are not even read
	}
	if z, ok := c.r.(gzipStream); ok {
		z.OnMark(m.distance, m.add)
	}
	if l.DiffID != (v1.Hash{}) {
		s.in.sum = sha256.New()
	}
	return s.in, r, nil
}

func (s *scan) run(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		start := s.in.next
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		// The name is judged by package layer, whatever GODEBUG=tarinsecurepath says.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		if err := s.entry(h, tr, start); err != nil {
			return &Error{Entry: h.Name, Err: err}
		}
	}
	if s.in.sum == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, r) // what follows the end mark belongs to the diff id
	return err
}

// entry applies one entry, of which the first header is at start.
func (s *scan) entry(h *tar.Header, body io.Reader, start int64) error {
	n, err := s.admit(h)
	if err != nil {
		return err
	}
	data := s.in.pos
	if err := s.advance(h, body); err != nil {
		return err
	}
	switch {
	case h.Typeflag == tar.TypeXGlobalHeader || n.Kind == layer.IgnoredEntry: // a comment of git archive
		return nil
	case n.Kind == layer.OpaqueEntry:
		return s.opaque(n)
	case n.Kind == layer.WhiteoutEntry && h.Typeflag == tar.TypeDir:
		return layer.ErrName
	case n.Kind == layer.WhiteoutEntry:
		return s.whiteout(n)
	case n.Base == "" && h.Typeflag != tar.TypeDir:
		return layer.ErrName // the root is a directory
	}
	if isSparse(h) {
		data = start
	}
	return s.make(n, h, data)
}

// admit counts an entry and reads its name.
func (s *scan) admit(h *tar.Header) (layer.EntryName, error) {
	if s.left--; s.left < 0 {
		return layer.EntryName{}, &layer.LimitError{What: "entries", Max: s.limits.Entries}
	}
	text := len(h.Name) + len(h.Linkname)
	for k, v := range h.PAXRecords {
		if len(v) > s.limits.Record {
			return layer.EntryName{}, &layer.LimitError{What: "bytes in a PAX record", Max: int64(s.limits.Record)}
		}
		if strings.HasPrefix(k, paxXattr) {
			text += len(k) + len(v)
		}
	}
	if err := s.budget.take(text); err != nil || h.Typeflag == tar.TypeXGlobalHeader {
		return layer.EntryName{}, err
	}
	s.sec, s.nsec = h.ModTime.Unix(), int32(h.ModTime.Nanosecond())
	return layer.ParseEntryName(h.Name, s.limits)
}

// advance finds where the next header will be. Of a sparse file only package tar knows.
func (s *scan) advance(h *tar.Header, body io.Reader) error {
	size := int64(0)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		if h.Size > s.limits.Bytes-s.bytes {
			return &layer.LimitError{What: "file bytes", Max: s.limits.Bytes}
		}
		s.bytes += h.Size
		size = h.Size
	}
	if isSparse(h) {
		size = 0
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
	}
	s.in.next = roundUp(s.in.pos + size)
	return nil
}

// roundUp gives the end of the tar block that ends at or after n.
func roundUp(n int64) int64 { return (n + 511) &^ 511 }

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}
