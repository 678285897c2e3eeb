package plan

import (
	"sync"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The system calls that no profile allows, as a filter in the kernel; seccomp(2),
// Documentation/userspace-api/seccomp_filter.rst:
//
//   - ioctl TIOCSTI and TIOCLINUX, which type into a terminal that the caller passed on (CVE-2017-5226);
//   - add_key, request_key and keyctl: keyrings know no namespaces, and the host program's would be open;
//   - without CAP_SYS_ADMIN, new cgroup namespaces: see fence.
//
// It looks at every instruction set that the kernel may run for the program, because the numbers differ.
func (b *builder) filter() {
	what, program := "no typing into terminals, no keyrings", openFilter
	if b.c.Caps&(1<<capSysAdmin) == 0 {
		what, program = what+", no cgroup namespaces", fencedFilter
	}
	b.step("seccomp", what, "seccomp(2); TIOCSTI in ioctl_tty(2), keyrings(7), cgroup_namespaces(7)")
	code := b.Bytes(program())
	header := b.Words(tape.Int(code.Len()/filterInstruction), code.Addr()) // struct sock_fprog
	b.Prctl(sys.PR_SET_SECCOMP, tape.Int(sys.SECCOMP_MODE_FILTER), header.Addr())
}

const capSysAdmin = 21 // its number; linux/capability.h

// The filters of this machine, which are the same for every container.
var (
	openFilter   = sync.OnceValue(func() []byte { return assemble(filters[tape.Native], false) })
	fencedFilter = sync.OnceValue(func() []byte { return assemble(filters[tape.Native], true) })
)

// abi is the numbers of one instruction set's calls.
type abi struct {
	arch                  uint32   // AUDIT_ARCH_*, linux/audit.h
	x32                   bool     // bit 30 of a number marks a call of x32
	keys                  uint32   // add_key; request_key and keyctl are the two behind it, everywhere
	ioctl                 []uint32 // x32 has one of its own
	clone, unshare, setns uint32
}

const clone3 = 435 // the same everywhere, as all calls since 5.0

// filters holds, for each architecture, its own calls and those of the older one that it also runs.
var filters = map[tape.Arch][2]abi{
	tape.AMD64: {
		{arch: 0xc000003e, x32: true, keys: 248, ioctl: []uint32{16, 514}, clone: 56, unshare: 272, setns: 308},
		{arch: 0x40000003, keys: 286, ioctl: []uint32{54}, clone: 120, unshare: 310, setns: 346},
	},
	tape.ARM64: {
		{arch: 0xc00000b7, keys: 217, ioctl: []uint32{29}, clone: 220, unshare: 97, setns: 268},
		{arch: 0x40000028, keys: 309, ioctl: []uint32{54}, clone: 120, unshare: 337, setns: 375},
	},
}

// Requests that put input into a terminal; asm-generic/ioctls.h.
const tiocsti, tioclinux = 0x5412, 0x541c

// assemble writes the filter: for each instruction set a block that ends in "allow", and behind all what the
// blocks jump to. The kernel walks a block once for every call that there is, when the filter is installed, to
// learn which calls are always allowed; so half of the comparisons are skipped by one.
func assemble(abis [2]abi, fenced bool) []byte {
	a := &assembler{}
	ioctl, noSuchCall, refused, makes, enters := a.label(), a.label(), a.label(), a.label(), a.label()
	a.add(bpfLoad, offArch)
	for _, x := range abis {
		calls := map[uint32]label{}
		for _, n := range x.ioctl {
			calls[n] = ioctl
		}
		if fenced {
			calls[x.clone], calls[x.unshare], calls[x.setns], calls[clone3] = makes, makes, enters, noSuchCall
		}
		other, high := a.label(), a.label()
		a.jump(bpfEqual, x.arch, next, other)
		a.add(bpfLoad, offNumber)
		if x.x32 {
			a.add(bpfAnd, ^uint32(1<<30))
		}
		a.jump(bpfAtLeast, x.keys, high, next)
		a.compare(calls, 0, x.keys)
		a.add(bpfRet, retAllow)
		a.mark(high)
		a.jump(bpfAbove, x.keys+2, next, noSuchCall)
		a.compare(calls, x.keys+3, ^uint32(0))
		a.add(bpfRet, retAllow)
		a.mark(other)
	}
	a.add(bpfRet, retAllow)
	if fenced {
		a.fence(makes, enters, refused)
	}
	a.mark(ioctl)
	a.add(bpfLoad, offSecond)
	a.jump(bpfEqual, tiocsti, refused, next)
	a.jump(bpfEqual, tioclinux, refused, next)
	a.add(bpfRet, retAllow)
	a.mark(refused)
	a.add(bpfRet, retErrno|sys.EPERM)
	a.mark(noSuchCall)
	a.add(bpfRet, retErrno|sys.ENOSYS)
	return a.link()
}

// fence refuses cgroup namespaces. Whoever makes a user namespace, as every program may, and a cgroup namespace
// in it, may mount the control groups of both versions from its own group down. The files there belong to the
// host's root, or to the user, which is who a container's root is to the kernel: it could lift the limits of its
// group, and freeze and kill what else is in it, the host's processes where the container has no group of its
// own. A mount needs CAP_SYS_ADMIN over the cgroup namespace, so without a new one there is none
// (cgroup_get_tree, cgroup1_get_tree); and who has CAP_SYS_ADMIN over the container's own needs no new one.
//
// A filter cannot read the flags of clone3(2), which lie in memory. It is "no such call" instead, and C libraries
// use clone(2) then, as on kernels before 5.3. setns(2) tells the kind of what it enters, or 0 for any.
func (a *assembler) fence(makes, enters, refused label) {
	a.mark(makes)
	a.add(bpfLoad, offFirst)
	a.jump(bpfAny, sys.CLONE_NEWCGROUP, refused, next)
	a.add(bpfRet, retAllow)
	a.mark(enters)
	a.add(bpfLoad, offSecond)
	a.jump(bpfEqual, 0, refused, next)
	a.jump(bpfAny, sys.CLONE_NEWCGROUP, refused, next)
	a.add(bpfRet, retAllow)
}
