// Package sys holds the kernel's constants and thin, typed wrappers of its system calls.
//
// It is the only package that imports golang.org/x/sys/unix. The constants are here a second time
// because plans are compiled and printed on every system, Linux or not; consts_linux_test.go holds
// them against golang.org/x/sys/unix.
package sys
