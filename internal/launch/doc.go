// Package launch starts tapes as processes of the host program.
//
// It does what is safe in a program with many threads: a vfork whose child makes the namespaces, puts its
// descriptors in order and executes the tape, by a list of system calls and without any Go. The cost does
// not depend on the size of the host program, because vfork copies no page tables; vfork(2). Where that way
// is not there it is the syscall package's StartProcess, which does the same and more.
package launch
