package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// The layout of a program in memory. The code lies at codeAddr behind the ELF header; the tape's
// header, operations, words and data follow at headerAddr. Both are constants of the interpreter.
const (
	codeAddr   = 0x400000
	headerAddr = 0x800200
	headerSize = 16
	opSize     = 44
	opNext     = 36               // within an operation: which one follows
	codeRoom   = 512 - elfHeaders // what the first 512 bytes of the file leave for code
)

// maxImage bounds a program: the arena, at ArenaAddr, lies above it. 64 MiB is 30 times what execve(2) takes in
// arguments and environment by default.
const maxImage = 64 << 20

// ErrTooLarge reports a tape whose strings and structures do not fit.
var ErrTooLarge = errors.New("tape: larger than 64 MiB; pass fewer or shorter arguments, variables or mounts")

// image is the memory of a linked tape, for a base address.
type image struct {
	base  uint64
	ops   uint64 // address of operation 0
	words uint64
	data  uint64
	end   uint64
}

func (t *Tape) layout(base uint64, header int) (image, error) {
	m := image{base: base, ops: base + uint64(header)}
	m.words = (m.ops + uint64(len(t.ops)*opSize) + 7) &^ 7
	m.data = m.words + uint64(len(t.words)+2)*8
	// Eight bytes more, so that a field that begins within the data may be read as a word.
	m.end = (m.data + uint64(len(t.data)) + 15) &^ 7
	if m.end-m.base > maxImage {
		return m, ErrTooLarge
	}
	return m, nil
}

// zeroWord and junkWord are the two words behind the tape's own: what unused arguments point at, and
// where results that nobody wants go.
func (m *image) zeroWord() uint64 { return m.data - 16 }
func (m *image) junkWord() uint64 { return m.data - 8 }

// opAddr is the address of operation i.
func (m *image) opAddr(i int) uint64 { return m.ops + uint64(i*opSize) }

// encode writes the tape's memory for base, with room before it.
func (t *Tape) encode(a Arch, base uint64, header, room int) ([]byte, image, error) {
	m, err := t.layout(base, header)
	if err != nil {
		return nil, m, err
	}
	b := buffer(room + int(m.end-m.base))
	clear(b[:room+header])
	return b, m, t.encodeTo(b[room:], &m, a)
}

// buffers are those of released programs, which are most of what a start would leave to be collected.
var buffers sync.Pool

// buffer is n bytes, whatever they are.
func buffer(n int) []byte {
	if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// Release gives the memory of the file to the next program. File must not be called any more; DecodeFailure may be.
func (p *Program) Release() {
	const most = 64 << 10 // larger ones are rare, and would be kept for small ones
	if b := p.file; b != nil && cap(b) <= most {
		p.file = nil
		buffers.Put(&b)
	}
}

// encodeTo writes the tape's memory to b, every byte of it.
func (t *Tape) encodeTo(b []byte, m *image, a Arch) error {
	if len(t.ops) == 0 {
		return errors.New("tape: there is no operation on it")
	}
	for i := range t.ops {
		if err := t.encodeOp(b[m.opAddr(i)-m.base:], m, a, i); err != nil {
			return err
		}
	}
	clear(b[m.opAddr(len(t.ops))-m.base : m.words-m.base])
	for i, w := range t.words {
		v, err := t.value(m, w)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(b[m.words-m.base+uint64(i)*8:], v)
	}
	clear(b[m.zeroWord()-m.base : m.data-m.base])
	clear(b[int(m.data-m.base)+copy(b[m.data-m.base:], t.data):])
	for _, s := range t.structs {
		off := int(s.off)
		for i, f := range t.fieldsOf(s) {
			if f.kind == argConst {
				continue
			}
			if f.kind != argAddr && f.kind != argSelf {
				return fmt.Errorf("tape: field %d of a structure is a word that is known only at run time; store it with To(Field(%d))", i, 8*i)
			}
			v, err := t.value(m, f)
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(b[m.data-m.base+uint64(off+8*i):], v)
		}
	}
	return nil
}

// value is what a word holds when the tape starts.
func (t *Tape) value(m *image, a Arg) (uint64, error) {
	switch a.kind {
	case argConst:
		return a.n, nil
	case argAddr:
		if a.n > uint64(len(t.data)) {
			return 0, fmt.Errorf("tape: an address %d bytes into %d bytes of data", int64(a.n), len(t.data))
		}
		return m.data + a.n, nil
	case argSelf:
		return headerAddr, nil
	}
	return 0, nil
}

// address is that of the word that a result goes to or an argument is read from, or none's.
func (t *Tape) address(m *image, o operand, none uint64) (uint64, error) {
	switch {
	case o == noWord:
		return none, nil
	case o > noWord:
		return m.words + uint64(o)*8, nil
	}
	switch a := t.given(o); {
	case a.kind == argField && a.n < uint64(len(t.data)):
		return m.data + a.n, nil
	case a.kind == argFar && a.n <= 1<<32-8:
		return a.n, nil
	}
	return 0, errors.New("it is neither a slot nor a field of this tape")
}

func (t *Tape) encodeOp(b []byte, m *image, a Arch, i int) error {
	o, le := &t.ops[i], binary.LittleEndian
	b = b[:opSize]
	le.PutUint32(b, uint32(o.call.number(a)))
	for j, w := range o.args {
		addr, err := t.address(m, w, m.zeroWord())
		if err != nil {
			return fmt.Errorf("tape: operation %d (%v), argument %d: %w", i, o.call, j, err)
		}
		le.PutUint32(b[4+4*j:], uint32(addr))
	}
	le.PutUint32(b[28:], uint32(o.allow))
	result, err := t.address(m, o.result, m.junkWord())
	if err != nil {
		return fmt.Errorf("tape: operation %d (%v), result: %w", i, o.call, err)
	}
	le.PutUint32(b[32:], uint32(result))
	next, err := t.target(m, o.then, i)
	if err != nil {
		return err
	}
	orElse, err := t.target(m, o.orElse, i)
	if err != nil {
		return err
	}
	le.PutUint32(b[opNext:], uint32(next))
	le.PutUint32(b[40:], uint32(orElse))
	return nil
}

// target resolves a branch of operation i. A branch past the end would run whatever lies there, so
// it is an error of whoever wrote the tape.
func (t *Tape) target(m *image, l Label, i int) (uint64, error) {
	at := i + 1
	if l != noLabel {
		if l < 0 || int(l) >= len(t.labels) {
			return 0, fmt.Errorf("tape: operation %d branches to a label of another tape", i)
		}
		at = t.labels[l].at
		if f := t.labels[l].far; f != 0 {
			return f, nil
		}
	}
	if at < 0 {
		return 0, fmt.Errorf("tape: operation %d branches to %q, which is nowhere", i, t.labels[l].name)
	}
	if at >= len(t.ops) && t.ops[i].call != exit_group {
		return 0, fmt.Errorf("tape: operation %d (%v) runs off the end", i, t.ops[i].call)
	}
	return m.opAddr(at), nil
}

// Program is a tape linked for one architecture.
type Program struct {
	file  []byte // an ELF file, the tape's memory at its end
	mem   image
	count int
}

// Link resolves every address and joins the tape with the interpreter of the running machine.
// On other systems than Linux it fails with errors.ErrUnsupported.
func (t *Tape) Link() (*Program, error) {
	code, err := nativeCode()
	if err != nil {
		return nil, err
	}
	b, m, err := t.encode(Native, headerAddr, headerSize, elfCodeEnd)
	if err != nil {
		return nil, err
	}
	putELF(b, code)
	return &Program{b, m, len(t.ops)}, nil
}

// op is the index of the operation at an address, of count that there are.
func (m *image) op(addr uint64, count int) int {
	i := int64(addr) - int64(m.ops)
	if i < 0 || i%opSize != 0 || i/opSize >= int64(count) {
		return -1
	}
	return int(i / opSize)
}
