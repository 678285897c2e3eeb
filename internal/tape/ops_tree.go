package tape

import (
	"encoding/binary"

	"github.com/caisson-go/caisson/internal/sys"
)

// Operations that make the files of a tree, and those that shut a process in it.

// ReadMem reads up to n bytes into memory.
func (t *Tape) ReadMem(fd, addr Arg, n int) Op { return t.add(read, fd, addr, Int(n)) }

// Fchown changes the owner of an open file.
func (t *Tape) Fchown(fd Arg, uid, gid uint32) Op {
	return t.add(fchown, fd, Int(int(uid)), Int(int(gid)))
}

// Fsetxattr sets an extended attribute of an open file.
func (t *Tape) Fsetxattr(fd Arg, name, value string) Op {
	return t.add(fsetxattr, fd, t.Str(name).Addr(), t.Str(value).Addr(), Int(len(value)), Int(0))
}

// Utimensat sets the access and modification time to the same time. An empty path means dir itself, which must
// be open for more than its path; utimensat(2), the null pointer.
func (t *Tape) Utimensat(dir Arg, path string, sec, nsec int64, flags int) Op {
	var both [32]byte
	for i, v := range [4]int64{sec, nsec, sec, nsec} {
		binary.LittleEndian.PutUint64(both[8*i:], uint64(v))
	}
	return t.add(utimensat, dir, t.orNull(path), t.Bytes(both[:]).Addr(), Int(flags))
}

// Linkat gives a file another name; what a symbolic link points to only with AT_SYMLINK_FOLLOW.
func (t *Tape) Linkat(from Arg, path string, to Arg, newPath string, flags int) Op {
	return t.add(linkat, from, t.Str(path).Addr(), to, t.Str(newPath).Addr(), Int(flags))
}

// PwriteMem writes n bytes of memory at an offset of an open file.
func (t *Tape) PwriteMem(fd, addr Arg, n int, off int64) Op {
	return t.add(pwrite64, fd, addr, Int(n), Int(int(off)))
}

// Ftruncate sets the size of an open file.
func (t *Tape) Ftruncate(fd Arg, size int64) Op { return t.add(ftruncate, fd, Int(int(size))) }

// LandlockCreateRuleset makes a set of rules that governs these accesses to files, these to the network, and
// these scopes. What a kernel does not know is E2BIG or EINVAL; landlock_create_ruleset(2).
func (t *Tape) LandlockCreateRuleset(files, network, scopes uint64) Op {
	attr := t.Words(Uint(files), Uint(network), Uint(scopes))
	size := 8 // as the first kernels knew it
	switch {
	case scopes != 0:
		size = 24
	case network != 0:
		size = 16
	}
	return t.add(landlock_create_ruleset, attr.Addr(), Int(size), Int(0))
}

// LandlockAddPath allows accesses below an open directory, whose descriptor is known beforehand; landlock_add_rule(2).
func (t *Tape) LandlockAddPath(rules Arg, files uint64, dir int) Op {
	beneath := t.Words(Uint(files), Int(dir)) // the structure is packed: four of the last eight bytes count
	return t.add(landlock_add_rule, rules, Int(sys.LANDLOCK_RULE_PATH_BENEATH), beneath.Addr(), Int(0))
}

// LandlockRestrictSelf enforces a set of rules on this process for ever; landlock_restrict_self(2).
func (t *Tape) LandlockRestrictSelf(rules Arg) Op {
	return t.add(landlock_restrict_self, rules, Int(0))
}
