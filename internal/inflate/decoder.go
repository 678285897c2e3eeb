package inflate

import "io"

// phase is what comes next in the stream.
type phase int

const (
	header phase = iota // of a block
	stored              // bytes
	coded               // literals and matches
	finished
)

// decoder decodes a DEFLATE stream, RFC 1951. Its memory is all in it.
type decoder struct {
	in     input
	phase  phase
	final  bool    // this block is the last
	pause  bool    // decode returns where a block ends
	left   int     // of a stored block
	now    *tables // of this block
	hist   int     // how much of the end of window counts
	window [maxDistance]byte

	own, common tables // of this block, and the fixed ones
	ready       bool   // the fixed ones are made
	kinds       kinds
	builder     builder
	lengths     [maxLiterals + maxDistances]uint8
}

// begin starts a new DEFLATE stream at the present place of the input.
func (d *decoder) begin() { d.phase, d.final, d.hist = header, false, 0 }

// decode decodes into out until there is no room for another match, and returns how much it wrote; that is less than
// len(out) - outputSlack only together with an error, io.EOF at the end of the stream, or where it pauses.
func (d *decoder) decode(out []byte) (n int, err error) {
	for err == nil && len(out)-n >= outputSlack {
		switch d.phase {
		case header:
			err = d.block()
		case stored:
			n, err = d.raw(out, n)
		case coded:
			n, err = d.symbols(out, n)
		case finished:
			err = io.EOF
		}
		if d.pause && d.phase == header {
			break
		}
	}
	d.remember(out[:n])
	return n, err
}

// remember keeps the end of the output for later matches.
func (d *decoder) remember(out []byte) {
	w := d.window[:]
	if len(out) < len(w) {
		copy(w, w[len(out):])
		copy(w[len(w)-len(out):], out)
	} else {
		copy(w, out[len(out)-len(w):])
	}
	d.hist = min(d.hist+len(out), len(w))
}

// block begins the next block.
func (d *decoder) block() error {
	if d.final {
		d.phase = finished
		return nil
	}
	b, err := d.in.bits(3)
	if err != nil {
		return d.in.fail("block", err)
	}
	d.final = b&1 != 0
	switch b >> 1 {
	case 0:
		return d.beginStored()
	case 1:
		if !d.ready {
			d.common.fixed(&d.builder, &d.kinds)
			d.ready = true
		}
		d.now, d.phase = &d.common, coded
		return nil
	case 2:
		if err := d.dynamic(); err != nil {
			return d.in.fail("block", err)
		}
		d.now, d.phase = &d.own, coded
		return nil
	}
	return d.in.fail("block", ErrFormat)
}

func (d *decoder) beginStored() error {
	d.in.align()
	v, err := d.in.bits(32)
	if err == nil && v&0xffff != ^v>>16 {
		err = ErrFormat
	}
	if err != nil {
		return d.in.fail("block", err)
	}
	d.left, d.phase = int(v&0xffff), stored
	d.in.align()
	return nil
}

// raw copies from a stored block.
func (d *decoder) raw(out []byte, pos int) (int, error) {
	if d.left == 0 {
		d.phase = header
		return pos, nil
	}
	d.in.want(1)
	n := copy(out[pos:], d.in.buf[d.in.pos:][:min(d.left, len(d.in.buf)-d.in.pos)])
	if n == 0 {
		return pos, d.in.fail("block", d.in.short())
	}
	d.in.pos += n
	d.left -= n
	return pos + n, nil
}

// symbols decodes from a coded block.
func (d *decoder) symbols(out []byte, pos int) (int, error) {
	d.in.want(2 * inputSlack)
	pos, why := d.fast(out, pos)
	var err error
	for why == goOn && err == nil && len(d.in.buf)-d.in.pos < inputSlack && d.in.err != nil && len(out)-pos >= outputSlack {
		pos, why, err = d.step(out, pos)
	}
	switch why {
	case goOn:
		if err != nil {
			err = d.in.fail("code", err)
		}
	case blockEnds:
		d.phase = header
	case badCode:
		err = d.in.fail("code", ErrFormat)
	case badDistance:
		err = d.in.fail("distance", ErrFormat)
	}
	return pos, err
}
