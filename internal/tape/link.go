package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The layout of a program in memory. The code lies at codeAddr behind the ELF header; the tape's
// header, operations, words and data follow at headerAddr. Both are constants of the interpreter.
const (
	codeAddr   = 0x400000
	headerAddr = 0x800200
	headerSize = 16
	opSize     = 44
	codeRoom   = 512 - elfHeaders // what the first 512 bytes of the file leave for code
)

// ArenaAddr is where memory shared with a running tape is mapped. Operations linked for it by
// LinkArena can be written there while the tape waits, and run.
const ArenaAddr = 0x10000000

// maxImage bounds a program: the arena lies above it. 64 MiB is 30 times what execve(2) takes in
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
	m.end = m.data + uint64(len(t.data))
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

// encode writes the tape's memory for base.
func (t *Tape) encode(a Arch, base uint64, header int) ([]byte, image, error) {
	m, err := t.layout(base, header)
	if err != nil {
		return nil, m, err
	}
	b := make([]byte, m.end-m.base)
	for i := range t.ops {
		if err := t.encodeOp(b[m.opAddr(i)-m.base:], &m, a, i); err != nil {
			return nil, m, err
		}
	}
	for i, w := range t.words {
		binary.LittleEndian.PutUint64(b[m.words-m.base+uint64(i)*8:], m.value(w))
	}
	copy(b[m.data-m.base:], t.data)
	for off, fields := range t.structs {
		for i, f := range fields {
			if f.kind != argConst {
				binary.LittleEndian.PutUint64(b[m.data-m.base+uint64(off+8*i):], m.value(f))
			}
		}
	}
	return b, m, nil
}

// value is what a word holds when the tape starts.
func (m *image) value(a Arg) uint64 {
	switch a.kind {
	case argConst:
		return a.n
	case argAddr:
		return m.data + a.n
	case argSelf:
		return headerAddr
	}
	return 0
}

// place is the address of the word that an argument or result lives in.
func (m *image) place(a Arg) uint64 {
	if a.kind == argField {
		return m.data + a.n
	}
	return m.words + a.n*8
}

func (t *Tape) encodeOp(b []byte, m *image, a Arch, i int) error {
	o := &t.ops[i]
	put := func(at int, v uint64) { binary.LittleEndian.PutUint32(b[at:], uint32(v)) }
	put(0, uint64(uint32(o.call.number(a))))
	for j, w := range o.args {
		addr := m.zeroWord()
		if o.fields[j].kind == argField {
			addr = m.place(o.fields[j])
		} else if w != noWord {
			addr = m.words + uint64(w)*8
		}
		put(4+4*j, addr)
	}
	put(28, uint64(o.allow))
	result := m.junkWord()
	if o.result.kind != argNone {
		result = m.place(o.result)
	}
	put(32, result)
	next, err := t.target(m, o.then, i)
	if err != nil {
		return err
	}
	orElse, err := t.target(m, o.orElse, i)
	if err != nil {
		return err
	}
	put(36, next)
	put(40, orElse)
	return nil
}

// target resolves a branch of operation i. A branch past the end would run whatever lies there, so
// it is an error of whoever wrote the tape.
func (t *Tape) target(m *image, l Label, i int) (uint64, error) {
	at := i + 1
	if l != noLabel {
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
	code  []byte // the interpreter
	image []byte
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
	b, m, err := t.encode(Native, headerAddr, headerSize)
	if err != nil {
		return nil, err
	}
	return &Program{code, b, m, len(t.ops)}, nil
}

// LinkArena resolves every address for memory mapped at ArenaAddr, without interpreter or header.
// It returns the bytes to put there; operation 0 lies at their start.
func (t *Tape) LinkArena() ([]byte, error) {
	b, _, err := t.encode(Native, ArenaAddr, 0)
	return b, err
}

// Op is the index of the operation at an address, or -1.
func (p *Program) op(addr uint64) int {
	i := int64(addr) - int64(p.mem.ops)
	if i < 0 || i%opSize != 0 || i/opSize >= int64(p.count) {
		return -1
	}
	return int(i / opSize)
}
