package launch

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

// Process is a child of the host program, held by its pidfd: signals and waiting cannot hit a stranger
// that got its number later; pidfd_open(2).
type Process struct {
	Pid   int
	pidfd *os.File

	wait   sync.Once
	status syscall.WaitStatus
	usage  syscall.Rusage
	err    error
	done   chan struct{}
}

// newProcess takes over a child and its pidfd; -1 opens one.
func newProcess(pid, pidfd int) (*Process, error) {
	if pidfd < 0 {
		fd, err := sys.PidfdOpen(pid)
		if err != nil {
			return nil, err
		}
		pidfd = fd
	}
	// Non-blocking, so that waiting parks a goroutine in the network poller and not a thread.
	f, err := sys.PollableFile(pidfd, "pidfd")
	if err != nil {
		return nil, errors.Join(err, sys.CloseFD(pidfd))
	}
	return &Process{Pid: pid, pidfd: f, done: make(chan struct{})}, nil
}

// Adopt takes over a child of the host program that a tape made with CLONE_PARENT.
func Adopt(pid int) (*Process, error) { return newProcess(pid, -1) }

// Pidfd is the process's descriptor. It stays the Process's own.
func (p *Process) Pidfd() *os.File { return p.pidfd }

// Done is closed when the process has been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the process to end and reaps it. It may be called more than once and at once.
func (p *Process) Wait() (syscall.WaitStatus, *syscall.Rusage, error) { return p.WaitThen(nil) }

// patience is how long a dead process may be its tracer's before it is given up: a debugger takes what is
// its own at once, and one that does not do so means no good.
const patience = 2 * time.Second

// waitHeld waits for a dead process whose tracer comes first. After a while that is an error, and the
// reaping goes on behind it; the process's number stays taken until then.
func (p *Process) waitHeld() {
	type end struct {
		status syscall.WaitStatus
		usage  syscall.Rusage
		err    error
	}
	reaped := make(chan end, 1)
	go func() {
		var e end
		e.status, e.usage, e.err = sys.Reap(p.Pid)
		reaped <- e
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case e := <-reaped:
		p.status, p.usage, p.err = e.status, e.usage, e.err
	case <-timer.C:
	}
}

// Signal sends a signal. A process that has ended gives os.ErrProcessDone.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.done: // and perhaps closed
		return os.ErrProcessDone
	default:
	}
	err := sys.PidfdSignal(p.pidfd, sig)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrClosed) {
		return os.ErrProcessDone
	}
	return err
}

// Kill ends the process and reaps it, whatever state it is in.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL)
	_, _, _ = p.Wait()
	p.Close()
}

// Close gives up the pidfd. The process must have been waited for.
func (p *Process) Close() { _ = p.pidfd.Close() }

// WaitThen is Wait, but calls before between the end of the process and its reaping: its pid means
// nobody else until then. Only the first call's counts.
func (p *Process) WaitThen(before func()) (syscall.WaitStatus, *syscall.Rusage, error) {
	p.wait.Do(func() {
		p.status, p.err = sys.WaitPidfd(p.pidfd, p.Pid, &p.usage, before)
		if errors.Is(p.err, sys.ErrHeld) {
			if before != nil {
				before()
			}
			p.waitHeld()
		}
		close(p.done)
	})
	return p.status, &p.usage, p.err
}
