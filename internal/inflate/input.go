package inflate

import (
	"encoding/binary"
	"io"
)

const (
	inputSize = 64 << 10
	maxEmpty  = 100 // reads without data or error, as in package bufio
)

// input is the compressed stream, as bytes and as bits. Bits are taken from the low end of acc.
//
// Above the have bits that count, acc may hold more: then they are those of the next bytes, which are added again in the
// same place. So a refill may load eight bytes and count only the whole ones.
type input struct {
	r   io.Reader
	buf []byte // what was read and not yet used begins at pos
	pos int
	off int64 // of buf[0] in the stream
	err error // of r; there is no more then

	acc  uint64
	have uint

	room [inputSize]byte
}

func (in *input) reset(r io.Reader) {
	in.r, in.buf, in.pos, in.off, in.err, in.acc, in.have = r, nil, 0, 0, nil, 0, 0
}

// offset is how many bytes of the stream are used. A byte of which a bit is used is used.
func (in *input) offset() int64 { return in.off + int64(in.pos) - int64(in.have/8) }

// want reads until n unused bytes are in the buffer, or as many as there are.
func (in *input) want(n int) {
	if len(in.buf)-in.pos >= n || in.err != nil {
		return
	}
	in.unread()
	rest := copy(in.room[:], in.buf[in.pos:])
	in.off += int64(in.pos)
	in.pos = 0
	for empty := 0; rest < n && in.err == nil; {
		k, err := in.r.Read(in.room[rest:])
		rest += k
		in.err = err
		if empty++; k > 0 {
			empty = 0
		}
		if empty == maxEmpty {
			in.err = io.ErrNoProgress
		}
	}
	in.buf = in.room[:rest]
}

// refill makes have at least 56, or as many bits as the buffer still has.
func (in *input) refill() {
	if len(in.buf)-in.pos >= 8 {
		in.acc |= binary.LittleEndian.Uint64(in.buf[in.pos:]) << (in.have & 63)
		in.pos += int((63 - in.have) >> 3)
		in.have |= 56
		return
	}
	for in.have < 56 && in.pos < len(in.buf) {
		in.acc |= uint64(in.buf[in.pos]) << (in.have & 63)
		in.pos++
		in.have += 8
	}
}

// bits takes n bits, at most 32.
func (in *input) bits(n uint) (uint32, error) {
	if in.have < n {
		in.want(8)
		in.refill()
		if in.have < n {
			return 0, in.short()
		}
	}
	v := uint32(in.acc & (1<<n - 1))
	in.drop(n)
	return v, nil
}

// drop takes n bits that are there.
func (in *input) drop(n uint) {
	in.acc >>= n & 63
	in.have -= n
}

// unread puts whole bytes back into the buffer, so that fewer than eight bits remain.
func (in *input) unread() {
	in.pos -= int(in.have >> 3)
	in.have &= 7
	in.acc &= 1<<in.have - 1
}

// align drops the rest of a byte that was begun.
func (in *input) align() {
	in.unread()
	in.acc, in.have = 0, 0
}

// short is why there is no more.
func (in *input) short() error {
	if in.err == io.EOF || in.err == nil {
		return io.ErrUnexpectedEOF
	}
	return in.err
}

// fail says where the stream is broken. What is wrong with the source, and not with its content, is said as it is.
func (in *input) fail(what string, err error) error {
	if err == in.err && err != io.ErrUnexpectedEOF {
		return err
	}
	return &Error{Offset: in.offset(), What: what, Err: err}
}
