package main

// System calls that package syscall has no number of; include/uapi/asm-generic/unistd.h.
const (
	sysRequestKey  = 218
	sysKeyctl      = 219
	sysSetns       = 268
	sysRenameat2   = 276
	sysMemfdCreate = 279
)
