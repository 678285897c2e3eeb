package plan

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// verdict runs a filter for one call, as the kernel does; struct seccomp_data, bpf(4).
func verdict(t *testing.T, code []byte, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(nil, nr)
	data = binary.LittleEndian.AppendUint32(data, arch)
	data = binary.LittleEndian.AppendUint64(data, 0) // the instruction pointer
	for i := range 6 {
		v := uint64(0)
		if i < len(args) {
			v = args[i]
		}
		data = binary.LittleEndian.AppendUint64(data, v)
	}
	accumulator := uint32(0)
	for pc := 0; ; pc++ {
		b := code[pc*filterInstruction:] // beyond the end is a panic: the kernel would refuse the filter
		k, yes := binary.LittleEndian.Uint32(b[4:]), false
		switch op := binary.LittleEndian.Uint16(b); op {
		case bpfLoad:
			accumulator = binary.LittleEndian.Uint32(data[k:])
			continue
		case bpfAnd:
			accumulator &= k
			continue
		case bpfRet:
			return k
		case bpfEqual:
			yes = accumulator == k
		case bpfAbove:
			yes = accumulator > k
		case bpfAtLeast:
			yes = accumulator >= k
		case bpfAny:
			yes = accumulator&k != 0
		default:
			t.Fatalf("instruction %d is %#x", pc, op)
		}
		if yes {
			pc += int(b[2])
		} else {
			pc += int(b[3])
		}
	}
}

// machine is the numbers of an instruction set, from the kernel's own tables: arch/x86/entry/syscalls,
// include/uapi/asm-generic/unistd.h, arch/arm/tools/syscall.tbl.
type machine struct {
	name                         string
	on                           tape.Arch
	arch, bit                    uint32
	ioctl, addKey, keyctl        uint32
	clone, unshare, setns, mount uint32
	getpid                       uint32
}

var machines = []machine{
	{"amd64", tape.AMD64, 0xc000003e, 0, 16, 248, 250, 56, 272, 308, 165, 39},
	{"x32", tape.AMD64, 0xc000003e, 1 << 30, 514, 248, 250, 56, 272, 308, 165, 39},
	{"i386", tape.AMD64, 0x40000003, 0, 54, 286, 288, 120, 310, 346, 21, 20},
	{"arm64", tape.ARM64, 0xc00000b7, 0, 29, 217, 219, 220, 97, 268, 40, 172},
	{"arm", tape.ARM64, 0x40000028, 0, 54, 309, 311, 120, 337, 375, 21, 20},
}

const (
	allowed = retAllow
	eperm   = retErrno | 1
	enosys  = retErrno | 38
)

func TestFilterVerdicts(t *testing.T) {
	const (
		newCgroup = sys.CLONE_NEWCGROUP
		others    = sys.CLONE_NEWUSER | sys.CLONE_NEWNS | sys.CLONE_NEWPID | sys.CLONE_NEWNET | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS
		fork      = sys.CLONE_VM | sys.CLONE_VFORK | sys.SIGCHLD
		high      = 1 << 32 // ignored by clone, refused by unshare
	)
	for _, m := range machines {
		for _, fenced := range []bool{true, false} {
			code := assemble(filters[m.on], fenced)
			fence := func(v uint32) uint32 {
				if fenced {
					return v
				}
				return allowed
			}
			for _, c := range []struct {
				what string
				want uint32
				nr   uint32
				args []uint64
			}{
				{"getpid", allowed, m.getpid, nil},
				{"mount", allowed, m.mount, nil},
				{"call 0", allowed, 0, nil},
				{"call 460", allowed, 460, nil},
				{"fork", allowed, m.clone, []uint64{fork}},
				{"clone into the other namespaces", allowed, m.clone, []uint64{others | sys.SIGCHLD, newCgroup, newCgroup}},
				{"clone", fence(eperm), m.clone, []uint64{newCgroup | sys.SIGCHLD}},
				{"clone, with all", fence(eperm), m.clone, []uint64{high | others | newCgroup | sys.SIGCHLD}},
				{"unshare of the others", allowed, m.unshare, []uint64{others, newCgroup}},
				{"unshare", fence(eperm), m.unshare, []uint64{newCgroup}},
				{"unshare, with all", fence(eperm), m.unshare, []uint64{others | newCgroup}},
				{"setns to a network", allowed, m.setns, []uint64{newCgroup, sys.CLONE_NEWNET}},
				{"setns", fence(eperm), m.setns, []uint64{3, newCgroup}},
				{"setns to any kind", fence(eperm), m.setns, []uint64{3, 0}},
				{"setns by pidfd", fence(eperm), m.setns, []uint64{3, others | newCgroup}},
				{"clone3", fence(enosys), 435, nil},
				{"add_key", enosys, m.addKey, nil},
				{"request_key", enosys, m.addKey + 1, nil},
				{"keyctl", enosys, m.keyctl, nil},
				{"before the keys", allowed, m.addKey - 1, nil},
				{"TCGETS", allowed, m.ioctl, []uint64{0x5412, 0x5401}},
				{"TIOCSTI", eperm, m.ioctl, []uint64{0, 0x5412}},
				{"TIOCSTI with bits that the kernel ignores", eperm, m.ioctl, []uint64{0, 0x700005412}},
				{"TIOCLINUX", eperm, m.ioctl, []uint64{0, 0x541c}},
			} {
				if got := verdict(t, code, m.arch, c.nr|m.bit, c.args...); got != c.want {
					t.Errorf("%s, fenced %v: %s: %s, want %s", m.name, fenced, c.what, show(got), show(c.want))
				}
			}
		}
	}
}

func show(v uint32) string {
	if v == retAllow {
		return "allowed"
	}
	return fmt.Sprintf("errno %d", v&0xffff)
}

// The kernel walks a filter for every call that there is when it installs one: this keeps it short.
func TestFilterIsShort(t *testing.T) {
	for arch := range filters {
		if n := len(assemble(filters[arch], true)) / filterInstruction; n > 40 {
			t.Errorf("%s: %d instructions", arch, n)
		}
	}
}
