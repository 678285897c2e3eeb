package tape

import (
	"encoding/binary"
	"errors"
)

// ArenaAddr is where memory shared with a running tape is mapped. Operations linked for it by
// LinkArena can be written there while the tape waits, and run.
const ArenaAddr = 0x10000000

// ErrArenaFull reports a tape that its arena has no room for.
var ErrArenaFull = errors.New("tape: it does not fit the arena; run fewer operations at a time, or make the arena larger")

// Arena is a tape linked for memory mapped at ArenaAddr, without interpreter or header.
type Arena struct {
	b     []byte
	mem   image
	count int
}

// Size is how many bytes the tape takes in an arena.
func (t *Tape) Size() int {
	m, err := t.layout(ArenaAddr, 0)
	if err != nil {
		return maxImage
	}
	return int(m.end - m.base)
}

// LinkArena writes the tape to the start of b, which is the memory that the running program has at base, a multiple
// of eight from ArenaAddr on. Operation 0 lies at its very start. It fails with ErrArenaFull where b is too small.
func (t *Tape) LinkArena(b []byte, base uint64) (*Arena, error) {
	m, err := t.layout(base, 0)
	if err != nil {
		return nil, err
	}
	n := m.end - m.base
	if n > uint64(len(b)) {
		return nil, ErrArenaFull
	}
	b = b[:n:n]
	if err := t.encodeTo(b, &m, Native); err != nil {
		return nil, err
	}
	return &Arena{b, m, len(t.ops)}, nil
}

// DecodeFailure reads the record that the running program wrote from FailureRecord. Op is -1 if the
// operation is none of this tape's.
func (a *Arena) DecodeFailure(b []byte) Failure { return decodeFailure(b, &a.mem, a.count) }

// OpAddr is the address of operation i.
func (a *Arena) OpAddr(i int) uint64 { return a.mem.opAddr(i) }

// Word is what a slot, or a field, of the tape holds now: a result, or an errno negated.
func (a *Arena) Word(at Arg) int64 {
	off := a.mem.words - a.mem.base + at.n*8
	if at.kind == argField {
		off = a.mem.data - a.mem.base + at.n
	}
	return int64(binary.LittleEndian.Uint64(a.b[off:]))
}

// Bytes is the memory of a place in the tape's data as it is now. It is valid until the next tape is
// linked for the same memory.
func (a *Arena) Bytes(r Ref) []byte {
	off := int(a.mem.data-a.mem.base) + r.off
	return a.b[off : off+r.size : off+r.size]
}
