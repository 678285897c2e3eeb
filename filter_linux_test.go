package caisson_test

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// filterCalls refuses this whole process what an old container engine's filter refuses: unshare(2) with
// EPERM, and openat2(2), which it does not know, with ENOSYS. There is no way back. seccomp(2).
func filterCalls(t *testing.T) {
	t.Helper()
	const (
		load, equal, ret = 0x20, 0x15, 0x06 // BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
		fail, allow      = 0x00050000, 0x7fff0000
		noNewPrivs       = 38
		setFilter, tsync = 1, 1
		openat2          = 437
	)
	seccomp := map[string]uintptr{"amd64": 317, "arm64": 277}[runtime.GOARCH]
	unshare := uint32(map[string]uintptr{"amd64": 272, "arm64": 97}[runtime.GOARCH])
	type instruction struct {
		code  uint16
		_, jf uint8
		k     uint32
	}
	program := []instruction{
		{code: load, k: 0}, // the number of the call
		{code: equal, jf: 1, k: unshare},
		{code: ret, k: fail | uint32(syscall.EPERM)},
		{code: equal, jf: 1, k: openat2},
		{code: ret, k: fail | uint32(syscall.ENOSYS)},
		{code: ret, k: allow},
	}
	prog := struct {
		count uint16
		first *instruction
	}{uint16(len(program)), &program[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, noNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	if _, _, errno := syscall.RawSyscall(seccomp, setFilter, tsync, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		t.Fatal(errno)
	}
}
