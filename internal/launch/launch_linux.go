package launch

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Start runs a tape. The caller owns the process: it must be waited for.
func Start(p *tape.Program, o Options) (*Process, error) {
	file, err := p.File(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	fds := make([]uintptr, len(o.Files))
	for i, f := range o.Files {
		fds[i] = ^uintptr(0)
		if f != nil {
			fds[i] = f.Fd()
		}
	}
	high, err := sys.DupAbove(file.Fd(), above(fds))
	if err != nil {
		return nil, err
	}
	defer func() { _ = sys.CloseFD(high) }()
	pidfd := -1
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: fds,
		Sys:   &syscall.SysProcAttr{Cloneflags: o.CloneFlags, PidFD: &pidfd},
	}
	if o.Cgroup != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(o.Cgroup.Fd())
	}
	// The handle is not a syscall package's process: its pidfd is ours.
	pid, _, err := syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", high), []string{"caisson"}, attr)
	// Their numbers alone would not keep the caller's files from being collected, and closed.
	runtime.KeepAlive(o)
	if err != nil {
		return nil, os.NewSyscallError("clone", err)
	}
	return newProcess(pid, pidfd)
}

// above is a descriptor number that the child does not reuse while it arranges fds: it moves those in
// its way to the numbers just past the largest (syscall.forkAndExecInChild).
func above(fds []uintptr) int {
	top := len(fds)
	for _, fd := range fds {
		if fd != ^uintptr(0) {
			top = max(top, int(fd))
		}
	}
	return top + len(fds) + 16
}
