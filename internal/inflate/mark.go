package inflate

import "io"

// Mark is a place between two blocks of a gzip stream, with all that it takes to read on from there: the content of the
// 32 KiB before it, for matches, and the checksum so far.
type Mark struct {
	In  int64 // where to begin in the stream, in bytes
	Out int64 // how much of the content lies before it, in bytes

	skip   uint // bits of the byte at In that belong to what lies before
	sum    uint32
	size   uint32
	window []byte
}

// marker makes the marks of a reader.
type marker struct {
	every int64 // bytes of content
	last  int64
	out   int64
	put   func(Mark) (every int64)
}

// OnMark has put called with marks that are at least every bytes of content apart; put returns how far away the next
// one is to be. Between two marks there may be more: they can only be made where a block ends, which compressors do all
// 10 to 300 KiB, but need not. It must be called before the first Read. A mark takes 32 KiB.
func (z *Reader) OnMark(every int64, put func(Mark) (every int64)) {
	z.marks = &marker{every: every, put: put}
}

// Resume returns a reader of what follows a mark. r must begin Mark.In bytes into the stream that the mark was made of.
func Resume(r io.Reader, m Mark) *Reader {
	z := NewReader(r)
	z.d.begin()
	z.inside, z.began, z.sum, z.size = true, true, m.sum, m.size
	z.d.hist = copy(z.d.window[maxDistance-len(m.window):], m.window)
	if _, err := z.d.in.bits(m.skip); err != nil {
		z.err = z.d.in.fail("block", err)
	}
	return z
}

// decode is decoder.decode, and ends with a block where there are marks to be made.
func (z *Reader) decode(out []byte) (n int, err error) {
	if z.marks == nil {
		return z.d.decode(out)
	}
	d := &z.d
	d.pause = true
	n, err = d.decode(out)
	z.marks.out += int64(n)
	return n, err
}

// mark makes a mark if it is time for one and this is a place for it. What was decoded is in the checksum.
func (z *Reader) mark() {
	m, d := z.marks, &z.d
	if m == nil || m.out-m.last < m.every || d.phase != header || d.final {
		return
	}
	bits := (d.in.off+int64(d.in.pos))*8 - int64(d.in.have)
	mark := Mark{In: bits / 8, Out: m.out, skip: uint(bits % 8), sum: z.sum, size: z.size}
	mark.window = append(mark.window, d.window[maxDistance-d.hist:]...)
	m.last = m.out
	m.every = m.put(mark)
}
