package tape

import (
	"encoding/binary"
	"fmt"
)

// UmaskTo is umask(2) of a word, for moving what a slot holds to where a test can see it.
func (t *Tape) UmaskTo(mask Arg) Op { return t.add(umask, mask) }

// CheckImage encodes the tape for an architecture, as a program and as an arena, and checks that every
// address in it lies where it should. A tape that cannot be encoded is no error.
func (t *Tape) CheckImage(a Arch) error {
	for _, c := range []struct {
		base   uint64
		header int
	}{{headerAddr, headerSize}, {ArenaAddr, 0}} {
		b, m, err := t.encode(a, c.base, c.header, 0)
		if err != nil {
			continue
		}
		if m.base != c.base || uint64(len(b)) != m.end-m.base || m.ops < m.base || m.words < m.ops || m.data < m.words || m.end < m.data+8 {
			return fmt.Errorf("layout %+v of %d bytes", m, len(b))
		}
		for i := range t.ops {
			if err := t.checkOp(&m, a, i, b[m.opAddr(i)-m.base:][:opSize]); err != nil {
				return fmt.Errorf("operation %d, %s: %w", i, t.FormatOp(i), err)
			}
		}
	}
	return nil
}

func (t *Tape) checkOp(m *image, a Arch, i int, b []byte) error {
	field := func(off int) uint64 { return uint64(binary.LittleEndian.Uint32(b[off:])) }
	if got, want := int32(field(0)), t.ops[i].call.number(a); got != want {
		return fmt.Errorf("number %d, want %d", got, want)
	}
	for off := 4; off <= 24; off += 4 {
		if p := field(off); p < m.words || p+8 > m.end {
			return fmt.Errorf("argument at %#x, outside of %#x to %#x", p, m.words, m.end)
		}
	}
	if p := field(32); p < m.words || p+8 > m.end {
		return fmt.Errorf("result at %#x", p)
	}
	for _, off := range []int{36, 40} {
		p := field(off)
		if m.op(p, len(t.ops)) < 0 && !t.far(p) && t.ops[i].call != exit_group {
			return fmt.Errorf("branch to %#x", p)
		}
	}
	return nil
}

func (t *Tape) far(p uint64) bool {
	for _, l := range t.labels {
		if l.far != 0 && l.far == p {
			return true
		}
	}
	return false
}
