package main

// System calls that package syscall has no number of; arch/x86/entry/syscalls/syscall_64.tbl.
const (
	sysRequestKey  = 249
	sysKeyctl      = 250
	sysSetns       = 308
	sysRenameat2   = 316
	sysMemfdCreate = 319
)
