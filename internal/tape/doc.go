// Package tape compiles system calls into a small program that runs without Go, libc or a stack.
//
// A tape is an array of operations. Each names a system call, where its six arguments lie in memory,
// where its result goes, which operation follows, which follows an error, and one errno that counts as
// success. An interpreter of about 110 bytes, written once per architecture in assembly, walks it:
//
//	t := tape.New()
//	fd := t.Slot("fd")
//	t.Openat(tape.Cwd, "/etc/hostname", sys.O_RDONLY, 0).To(fd)
//	t.Close(fd)
//	t.ExitGroup(0)
//	prog, err := t.Link(tape.Native)
//
// Arguments are addresses of words, never the words themselves, so a constant, a slot (a word that an
// earlier operation's result was stored in) and a field of a structure are all the same to the
// interpreter. One pseudo-operation, compare, branches on the equality of two words. Nothing else
// exists: loops are operations whose successor lies behind them.
//
// The package knows system calls and bytes and nothing of containers.
package tape
