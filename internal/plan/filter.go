package plan

import (
	"encoding/binary"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The system calls that no profile allows, as a filter in the kernel; seccomp(2),
// Documentation/userspace-api/seccomp_filter.rst:
//
//   - ioctl TIOCSTI and TIOCLINUX, which type into a terminal that the caller passed on (CVE-2017-5226);
//   - add_key, request_key and keyctl: keyrings know no namespaces, and the host program's would be open.
//
// It looks at every instruction set that the kernel may run for the program, because the numbers differ.
func (b *builder) filter() {
	b.step("seccomp", "no typing into terminals, no keyrings", "seccomp(2); TIOCSTI in ioctl_tty(2), keyrings(7)")
	code := b.Bytes(assemble(filters[tape.Native]))
	program := b.Words(tape.Int(code.Len()/filterInstruction), code.Addr()) // struct sock_fprog
	b.Prctl(sys.PR_SET_SECCOMP, tape.Int(sys.SECCOMP_MODE_FILTER), program.Addr())
}

// abi is the calls of one instruction set.
type abi struct {
	arch   uint32 // AUDIT_ARCH_*, linux/audit.h
	keys   [3]uint32
	ioctls []uint32
}

// filters holds, for each architecture, its own calls and those of the older one that it also runs. Bit 30
// of a number, which marks x32 on amd64, is masked off; there ioctl is 514.
var filters = map[tape.Arch][2]abi{
	tape.AMD64: {
		{0xc000003e, [3]uint32{248, 249, 250}, []uint32{16, 514}},
		{0x40000003, [3]uint32{286, 287, 288}, []uint32{54}},
	},
	tape.ARM64: {
		{0xc00000b7, [3]uint32{217, 218, 219}, []uint32{29}},
		{0x40000028, [3]uint32{309, 310, 311}, []uint32{54}},
	},
}

// The instructions of the filter; bpf(4), linux/filter.h.
const (
	filterInstruction = 8

	bpfLoad  = 0x20 // BPF_LD|BPF_W|BPF_ABS
	bpfAnd   = 0x54 // BPF_ALU|BPF_AND|BPF_K
	bpfEqual = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	bpfRet   = 0x06 // BPF_RET|BPF_K

	offNumber, offArch, offRequest = 0, 4, 24 // in struct seccomp_data; the request is the second argument

	retAllow = 0x7fff0000
	retErrno = 0x00050000
)

// Requests that put input into a terminal; asm-generic/ioctls.h.
var typing = []uint32{0x5412, 0x541c} // TIOCSTI, TIOCLINUX

// assemble writes the filter: for each instruction set a block that ends in "allow", and behind all the
// answers that the blocks jump to.
func assemble(abis [2]abi) []byte {
	var a assembler
	a.add(bpfLoad, offArch)
	for _, x := range abis {
		other := a.jump(x.arch)
		a.add(bpfLoad, offNumber)
		a.add(bpfAnd, ^uint32(1<<30))
		for _, n := range x.keys {
			a.jumpTo(n, &a.noKeys)
		}
		for _, n := range x.ioctls {
			a.jumpTo(n, &a.ioctl)
		}
		a.add(bpfRet, retAllow)
		a.elseHere(other)
	}
	a.add(bpfRet, retAllow)
	a.land(a.ioctl)
	a.add(bpfLoad, offRequest)
	for _, n := range typing {
		a.jumpTo(n, &a.noTyping)
	}
	a.add(bpfRet, retAllow)
	a.land(a.noTyping)
	a.add(bpfRet, retErrno|sys.EPERM)
	a.land(a.noKeys)
	a.add(bpfRet, retErrno|sys.ENOSYS)
	return a.code
}

// assembler collects instructions, and the places of those that jump to a later one.
type assembler struct {
	code                    []byte
	ioctl, noTyping, noKeys []int
}

func (a *assembler) add(op uint16, k uint32) int {
	a.code = binary.LittleEndian.AppendUint16(a.code, op)
	a.code = append(a.code, 0, 0)
	a.code = binary.LittleEndian.AppendUint32(a.code, k)
	return len(a.code)/filterInstruction - 1
}

// jump goes on behind itself if the accumulator equals k, else to where elseHere is called.
func (a *assembler) jump(k uint32) int { return a.add(bpfEqual, k) }

func (a *assembler) elseHere(i int) { a.code[i*filterInstruction+3] = a.distance(i) }

// jumpTo goes to where land is called with the list, if the accumulator equals k.
func (a *assembler) jumpTo(k uint32, list *[]int) { *list = append(*list, a.add(bpfEqual, k)) }

func (a *assembler) land(list []int) {
	for _, i := range list {
		a.code[i*filterInstruction+2] = a.distance(i)
	}
}

func (a *assembler) distance(i int) byte { return byte(len(a.code)/filterInstruction - i - 1) }
