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
		fds[i] = none
		if f != nil {
			fds[i] = f.Fd()
		}
	}
	pid, pidfd, err := execute(file.Fd(), fds, &o)
	// Their numbers alone would not keep the caller's files from being collected, and closed.
	runtime.KeepAlive(o)
	if err != nil {
		return nil, err
	}
	return newProcess(pid, pidfd)
}

// executeSlowly starts an open program by the syscall package, with any kernel and on any machine.
func executeSlowly(exe uintptr, fds []uintptr, o *Options) (pid, pidfd int, err error) {
	high, err := sys.DupAbove(exe, above(fds))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sys.CloseFD(high) }()
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: fds,
		Sys:   &syscall.SysProcAttr{Cloneflags: o.CloneFlags, PidFD: &pidfd},
	}
	if o.Cgroup != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(o.Cgroup.Fd())
	}
	pidfd = -1
	// The handle is not a syscall package's process: its pidfd is ours.
	pid, _, err = syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", high), []string{"caisson"}, attr)
	return pid, pidfd, os.NewSyscallError("clone", err)
}

// above is a descriptor number that the child does not reuse while it arranges fds: it moves those in
// its way to the numbers just past the largest (syscall.forkAndExecInChild).
func above(fds []uintptr) int {
	top := len(fds)
	for _, fd := range fds {
		if fd != none {
			top = max(top, int(fd))
		}
	}
	return top + len(fds) + 16
}
