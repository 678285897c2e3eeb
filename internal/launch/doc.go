// Package launch starts tapes as processes of the host program.
//
// It asks of os/exec's machinery only what is safe in a program with many threads: a vfork whose child
// makes the namespaces and executes the tape. The cost does not depend on the size of the host program,
// because vfork copies no page tables; vfork(2).
package launch
