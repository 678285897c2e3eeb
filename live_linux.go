package caisson

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
)

// live is a started program: the first process of a container, or one executed in it.
type live struct {
	proc *launch.Process
	// The process that waits for a detached one, and is waited for in its place.
	supervisor *launch.Process
	stdio      *stdio
	tty        *os.File // the terminal's master
	report     *os.File // where an init writes the program's status
	timings    []Timing
	group      *limitGroup // whose limits it is under
	request    *request    // what it was made from
	engine     *Engine
	// The mount namespace of a container that shares its process namespace, else nil.
	mounts *os.File
	undo   undo // what close takes back

	done   chan struct{} // closed when the process has been reaped
	status syscall.WaitStatus
	err    error

	finish   sync.Once // the copying, which is waited for once
	copyDone chan struct{}
	copyErr  error
}

// watch reaps the process when it ends. The goroutine parks in the network poller meanwhile. It is
// started once the process is known to have executed its program.
func (l *live) watch(beforeReap func()) {
	l.done, l.copyDone = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.done)
		l.status, _, l.err = l.child().WaitThen(beforeReap)
		if l.report != nil {
			l.readReport()
		}
	}()
}

// child is the process that is this program's to wait for.
func (l *live) child() *launch.Process {
	if l.supervisor != nil {
		return l.supervisor
	}
	return l.proc
}

// readReport takes the status that an init wrote before it ended; it died itself if there is none.
func (l *live) readReport() {
	var b [4]byte
	if n, err := l.report.Read(b[:]); err == nil && n == len(b) {
		l.status = syscall.WaitStatus(binary.LittleEndian.Uint32(b[:]))
	}
	_ = l.report.Close()
}

func (l *live) exited() <-chan struct{} { return l.done }

func (l *live) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *live) pid() int {
	if l.ended() {
		return 0
	}
	return l.proc.Pid
}

func (l *live) signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return &Error{"kill", sig.String(), errors.ErrUnsupported, "use a syscall.Signal"}
	}
	return l.proc.Signal(n)
}

func (l *live) resize(w Winsize) error {
	if l.tty == nil {
		return &Error{"resize", "terminal", errors.ErrUnsupported, "set Spec.TTY"}
	}
	return sys.SetWinsize(l.tty, w.Rows, w.Cols)
}

// wait waits for the end of the process and of the copying.
func (l *live) wait(ctx context.Context, delay time.Duration) error {
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.startFinish(delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	return firstOf(l.exitError(), l.copyErr)
}

// startFinish waits, once and on the side, for the copying.
func (l *live) startFinish(delay time.Duration) <-chan struct{} {
	l.finish.Do(func() {
		go func() {
			l.copyErr = l.stdio.finish(delay)
			close(l.copyDone)
		}()
	})
	return l.copyDone
}

// exitError says why the program ended, nil for status 0.
func (l *live) exitError() error {
	switch {
	case l.err != nil:
		return &Error{"wait4", itoa(l.proc.Pid), l.err, "did the host program wait for any child?"}
	case l.status.Signaled():
		sig := l.status.Signal()
		return &ExitError{Code: 128 + int(sig), Signal: sig, OOM: l.group.oom()}
	case l.status.ExitStatus() != 0:
		// Out of memory too where a child was killed for it and a shell passes its status on.
		return &ExitError{Code: l.status.ExitStatus(), OOM: l.group.oom()}
	}
	return nil
}

// close kills, waits and takes back everything. No copy can outlive it: the host program's ends of the
// pipes are closed.
func (l *live) close() error {
	_ = l.proc.Signal(syscall.SIGKILL)
	<-l.done
	var survivors error
	if l.mounts != nil {
		survivors = errors.Join(killIn(l.mounts), l.mounts.Close())
	}
	l.stdio.abort()
	_ = l.wait(context.Background(), 0)
	if l.tty != nil {
		_ = l.tty.Close()
	}
	l.proc.Close()
	if l.supervisor != nil {
		l.supervisor.Close()
	}
	return errors.Join(survivors, l.undo.run())
}
