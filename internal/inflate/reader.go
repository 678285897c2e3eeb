package inflate

import (
	"hash/crc32"
	"io"
)

const (
	// direct is how much room a caller's buffer must have to be decoded into. The content of smaller ones is copied.
	direct = 32 << 10

	spareSize = 64 << 10
)

// Reader yields the content of a gzip stream, RFC 1952.
//
// Several members that follow each other are one content. What follows the last one is an error, and be it zeros: the
// readers of other programs differ in what they do with it, so a layer with such an end would not be the same everywhere.
//
// It needs no goroutine and holds about 200 KiB. It may have read more of its source than it has used.
type Reader struct {
	d       decoder
	inside  bool   // a member has begun
	began   bool   // the first one has
	sum     uint32 // CRC-32 of the member so far
	size    uint32 // of the member so far, modulo 2^32
	err     error  // for good
	spare   []byte // made when it is first needed
	waiting []byte // part of spare that nobody has read yet
	marks   *marker
}

// NewReader returns a reader that reads r when it is first read.
func NewReader(r io.Reader) *Reader {
	z := &Reader{}
	z.d.kinds.init()
	z.d.in.reset(r)
	return z
}

// Read yields what comes next. It decodes without a copy if p has room for more than 32 KiB, and may then leave some
// hundred bytes of it unused.
//
// Errors: *Error around ErrFormat, ErrChecksum and io.ErrUnexpectedEOF, and those of the source.
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(z.waiting) == 0 {
		if len(p) >= direct {
			return z.fill(p)
		}
		if err := z.refill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.waiting)
	z.waiting = z.waiting[n:]
	return n, nil
}

// WriteTo writes everything to w, in parts of up to 64 KiB. The error is that of w, or as with Read.
func (z *Reader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if len(z.waiting) == 0 {
			if err := z.refill(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(z.waiting)
		if err == nil && n < len(z.waiting) {
			err = io.ErrShortWrite
		}
		z.waiting = z.waiting[n:]
		if total += int64(n); err != nil {
			return total, err
		}
	}
}

// refill makes z.waiting more than nothing.
func (z *Reader) refill() error {
	if z.spare == nil {
		z.spare = make([]byte, spareSize)
	}
	n, err := z.fill(z.spare)
	z.waiting = z.spare[:n]
	return err
}

// fill decodes into p until that is nearly full. It returns no error together with data.
func (z *Reader) fill(p []byte) (int, error) {
	n := 0
	for z.err == nil && len(p)-n >= outputSlack {
		if !z.inside {
			if z.err = z.begin(); z.err == nil {
				z.inside, z.began, z.sum, z.size = true, true, 0, 0
				z.d.begin()
			}
			continue
		}
		k, err := z.decode(p[n:])
		z.sum = crc32.Update(z.sum, crc32.IEEETable, p[n:n+k])
		z.size += uint32(k)
		n += k
		z.mark()
		if err == io.EOF {
			err = z.d.in.trailer(z.sum, z.size)
			z.inside = false
		}
		z.err = err
	}
	if n > 0 {
		return n, nil
	}
	return 0, z.err
}

// begin reads the header of the next member. io.EOF means that there is none.
func (z *Reader) begin() error {
	in := &z.d.in
	in.align()
	if in.want(1); z.began && in.pos == len(in.buf) && in.err == io.EOF {
		return io.EOF
	}
	return in.member()
}
