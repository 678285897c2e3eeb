// Package guardian ends attached containers when the host program ends, however it ends.
//
// PR_SET_PDEATHSIG alone is not enough: the kernel forgets it when a program changes its user or group id
// or executes a set-user-id file, and it fires when the thread that made the process ends, not the program
// (prctl(2)). So a host program that has attached containers has one more child, the guardian: a tape that
// waits on a pidfd of the host program and, once that is gone, kills what is in a table. It does so too when
// the host program executes another in its place, which would not know of the table. There is one guardian for
// all containers of a Guardian, not one for each.
//
//	g := guardian.New(dir)
//	entry, err := g.Add(pid)    // a store to memory and no system call, while anything is guarded
//	proc.WaitThen(entry.Remove) // the process has ended and its number is not yet another's
//
// The table is memory that the host program maps and the guardian only reads, with read(2), when the time
// has come. Until then the guardian holds no table at all, there is nothing in it that the host program
// could damage, and the table grows without its knowledge.
package guardian
