package plan

import (
	"encoding/binary"
	"maps"
	"slices"
)

// The instructions of a filter; bpf(4), linux/filter.h, linux/seccomp.h. The offsets are those of struct
// seccomp_data on a little-endian machine; of an argument it is that of the lower half, all that the calls
// looked at have.
const (
	filterInstruction = 8

	bpfLoad    = 0x20 // BPF_LD|BPF_W|BPF_ABS
	bpfAnd     = 0x54 // BPF_ALU|BPF_AND|BPF_K
	bpfEqual   = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	bpfAbove   = 0x25 // BPF_JMP|BPF_JGT|BPF_K
	bpfAtLeast = 0x35 // BPF_JMP|BPF_JGE|BPF_K
	bpfAny     = 0x45 // BPF_JMP|BPF_JSET|BPF_K: any of the bits is set
	bpfRet     = 0x06 // BPF_RET|BPF_K

	offNumber, offArch, offFirst, offSecond = 0, 4, 16, 24

	retAllow = 0x7fff0000
	retErrno = 0x00050000
)

// label is a place in a filter, known only when it has been marked.
type label int

// next is the instruction behind a jump.
const next label = -1

// assembler collects the instructions of a filter.
type assembler struct {
	code  []byte
	at    []int // of each label
	jumps []jump
}

// jump is an instruction with two ways to go on.
type jump struct {
	at      int
	yes, no label
}

func (a *assembler) label() label {
	a.at = append(a.at, -1)
	return label(len(a.at) - 1)
}

func (a *assembler) mark(l label) { a.at[l] = len(a.code) / filterInstruction }

func (a *assembler) add(op uint16, k uint32) {
	a.code = binary.LittleEndian.AppendUint16(a.code, op)
	a.code = append(a.code, 0, 0)
	a.code = binary.LittleEndian.AppendUint32(a.code, k)
}

// jump compares what was loaded with k. Both labels are marked later: a filter has no way back.
func (a *assembler) jump(op uint16, k uint32, yes, no label) {
	a.jumps = append(a.jumps, jump{len(a.code) / filterInstruction, yes, no})
	a.add(op, k)
}

// compare jumps to where the calls from one number up to another are dealt with.
func (a *assembler) compare(calls map[uint32]label, from, to uint32) {
	for _, n := range slices.Sorted(maps.Keys(calls)) {
		if n >= from && n < to {
			a.jump(bpfEqual, n, calls[n], next)
		}
	}
}

// link fills in how far the jumps are.
func (a *assembler) link() []byte {
	for _, j := range a.jumps {
		for i, l := range []label{j.yes, j.no} {
			if l != next {
				a.code[j.at*filterInstruction+2+i] = byte(a.at[l] - j.at - 1)
			}
		}
	}
	return a.code
}
