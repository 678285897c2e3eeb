package tape

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Arg is one argument of an operation: a constant, an address, or a word whose value is known only
// when the tape runs.
type Arg struct {
	kind argKind
	n    uint64 // the constant; the offset in data; the index of the slot
}

type argKind uint8

const (
	argNone  argKind = iota
	argConst         // n itself
	argAddr          // the address of data[n]
	argSlot          // the value of words[n]
	argField         // the value of the eight bytes at data[n]
	argSelf          // the address of the header
	argFar           // the value of the eight bytes at the address n
)

// Int is a constant argument.
func Int(n int) Arg { return Arg{argConst, uint64(n)} }

// Uint is a constant argument, for flags wider than an int.
func Uint(n uint64) Arg { return Arg{argConst, n} }

// FailureRecord is the address of the eight bytes that describe the last failed operation,
// for DecodeFailure.
var FailureRecord = Arg{argSelf, 0}

// Cwd stands for the working directory where a descriptor is expected (AT_FDCWD).
var Cwd = Int(-100)

// Null is the null pointer.
var Null = Int(0)

// Word is the value of the eight bytes at an address outside the tape, for To and as an argument: a word in memory
// that outlives the tape.
func Word(addr uint64) Arg { return Arg{argFar, addr} }

// Slot makes a word for a result.
func (t *Tape) Slot(name string) Arg {
	t.words = append(t.words, Arg{argSlot, uint64(len(t.words))})
	for len(t.names) < len(t.words) {
		t.names = append(t.names, "")
	}
	t.names[len(t.words)-1] = name
	return Arg{argSlot, uint64(len(t.words) - 1)}
}

// Ref is a place in the tape's data.
type Ref struct {
	off  int
	size int
}

// Addr is the place's address.
func (r Ref) Addr() Arg { return Arg{argAddr, uint64(r.off)} }

// At is the address of the byte n bytes in.
func (r Ref) At(n int) Arg { return Arg{argAddr, uint64(r.off + n)} }

// Field is the value of the eight bytes that start n bytes in, for To and as an argument.
func (r Ref) Field(n int) Arg { return Arg{argField, uint64(r.off + n)} }

// Len is the size of the place in bytes.
func (r Ref) Len() int { return r.size }

// Bytes puts b into the data, aligned to eight bytes.
func (t *Tape) Bytes(b []byte) Ref {
	t.align()
	r := Ref{len(t.data), len(b)}
	t.data = append(t.data, b...)
	return r
}

// Str puts s and a NUL into the data.
func (t *Tape) Str(s string) Ref {
	r := Ref{len(t.data), len(s)}
	t.data = append(append(t.data, s...), 0)
	return r
}

// Words puts a structure of eight-byte fields into the data: constants, or addresses of other data.
func (t *Tape) Words(fields ...Arg) Ref {
	t.align()
	r := Ref{len(t.data), 8 * len(fields)}
	for _, f := range fields {
		v := f.n
		if f.kind != argConst {
			v = 0 // Link fills in addresses
		}
		t.data = binary.LittleEndian.AppendUint64(t.data, v)
	}
	t.structs = append(t.structs, structure{int32(r.off), int32(len(t.fields)), int32(len(fields))})
	t.fields = append(t.fields, fields...)
	return r
}

// fieldsOf are the fields of a structure.
func (t *Tape) fieldsOf(s structure) []Arg { return t.fields[s.first : s.first+s.count] }

// structAt is the structure that begins at an offset.
func (t *Tape) structAt(off int) ([]Arg, bool) {
	i, ok := slices.BinarySearchFunc(t.structs, int32(off), func(s structure, off int32) int { return cmp.Compare(s.off, off) })
	if !ok {
		return nil, false
	}
	return t.fieldsOf(t.structs[i]), true
}

// Strings puts a null-terminated vector of strings into the data, as execve(2) takes it.
func (t *Tape) Strings(list []string) Ref {
	fields := make([]Arg, 0, len(list)+1)
	for _, s := range list {
		fields = append(fields, t.Str(s).Addr())
	}
	return t.Words(append(fields, Null)...)
}

// Zero puts n zero bytes into the data, for a buffer.
func (t *Tape) Zero(n int) Ref {
	t.align()
	r := Ref{len(t.data), n}
	t.data = slices.Grow(t.data, n)[:len(t.data)+n]
	clear(t.data[r.off:]) // after Reset there is something
	return r
}

func (t *Tape) align() {
	for len(t.data)%8 != 0 {
		t.data = append(t.data, 0)
	}
}
