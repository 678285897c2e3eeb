package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
)

// defy undoes that the kernel kills this process with its parent, and holds; prctl(2), PR_SET_PDEATHSIG.
func defy([]string) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, 0, 0)
	say("pdeathsig", nonzero(errno))
	hold(nil)
}

// While a program is initialized it runs on the first thread; what is locked to it then stays there.
func init() {
	if slices.ContainsFunc(os.Args, func(a string) bool { return filepath.Base(a) == "headless" }) {
		runtime.LockOSThread()
	}
}

// headless ends its first thread and lives on in others: most files of such a process in proc tell nothing.
func headless([]string) {
	go hold(nil)
	up()
	_, _, _ = syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

// grip opens for writing every pipe that it can of the processes of a name, and holds them.
func grip(args []string) {
	n := 0
	for _, pid := range pids() {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if string(comm) != args[0]+"\n" {
			continue
		}
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, f := range files {
			if _, err := syscall.Open(f, syscall.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				n++
			}
		}
	}
	fmt.Println("gripped", n)
	hold(nil)
}
