// Package plan compiles the description of a container to the system calls that make it.
//
// It is pure: the same Config gives the same Plan on any machine, without root and without Linux. What
// a host can do enters as data (Features), what a container shall be as data (Config), and out come the
// steps, which a person can read, and the tape, which a process can run.
//
//	Config -> Compile -> Plan{Steps, Tape, CloneFlags}
//
// The order of the steps is the design. Everything that needs the host's mounts happens first, then
// pivot_root(2) and the old root is gone, and only then are mount points made and mounts attached: no
// symbolic link of an image can lead outside, because there is no outside any more.
package plan
