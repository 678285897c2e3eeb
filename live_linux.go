package caisson

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
)

// live is a started program: the first process of a container, or one executed in it.
type live struct {
	id        string     // the container's
	blueprint *blueprint // of a container, to start it again
	proc      *launch.Process
	// The process that waits for a detached one, and is waited for in its place.
	supervisor *launch.Process
	stdio      *stdio
	tty        *os.File // the terminal's master
	report     *os.File // where an init writes the program's status
	timings    []Timing
	group      *limitGroup // whose limits it is under
	request    *request    // what it was made from
	engine     *Engine
	cancel     func() error // nil: kill
	delay      time.Duration
	// The mount namespace of a container that shares its process namespace, else nil.
	mounts *os.File
	undo   undo // what close takes back

	layer layerLock
	kept  []string // the snapshots that were its writable layer since it ended, bottom to top

	done   chan struct{} // closed when the process has been reaped
	status syscall.WaitStatus
	oom    bool
	err    error
}

// run connects a process that is known to have executed its program, and reaps it when it ends. The
// goroutine parks in the network poller meanwhile.
func (l *live) run(beforeReap func()) {
	if l.tty != nil {
		l.stdio.attach(l.tty)
	}
	l.stdio.started()
	l.done = make(chan struct{})
	go func() {
		l.reap(beforeReap)
		close(l.done)
		if l.tty != nil {
			<-l.stdio.copied
			l.stdio.hangUp(l.tty)
		}
	}()
}

// reap waits for the end, and gives up what only a process that lives needs.
func (l *live) reap(beforeReap func()) {
	l.status, _, l.err = l.child().WaitThen(beforeReap)
	if l.report != nil {
		l.readReport()
	}
	if l.status != 0 {
		l.oom = l.group.oom()
	}
	l.child().Close() // and a detached one, which its supervisor may leave alive, when it is closed
}

// child is the process that is this program's to wait for.
func (l *live) child() *launch.Process {
	if l.supervisor != nil {
		return l.supervisor
	}
	return l.proc
}

// readReport takes the status that an init wrote before it ended; it died itself if there is none. What a process of
// the container, which can open the pipe as well, has not written by then is not waited for.
func (l *live) readReport() {
	_ = l.report.SetReadDeadline(time.Now().Add(time.Second)) // a file, which has no deadline, has an end
	var b [4]byte
	if n, err := l.report.Read(b[:]); err == nil && n == len(b) {
		l.status = syscall.WaitStatus(binary.LittleEndian.Uint32(b[:]))
	}
	_ = l.report.Close()
}

func (l *live) ended() bool { return over(l.done) }

func (l *live) pid() int {
	if l.ended() {
		return 0
	}
	return l.proc.Pid
}

func (l *live) signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v: %w", sig, errors.ErrUnsupported)
	}
	return l.proc.Signal(n)
}

func (l *live) resize(w Winsize) error {
	switch {
	case l.tty == nil:
		return errNoTerminal
	case l.ended():
		return os.ErrProcessDone
	}
	err := sys.SetWinsize(l.tty, w.Rows, w.Cols)
	if errors.Is(err, os.ErrClosed) {
		return os.ErrProcessDone
	}
	return err
}

var errNoTerminal = fmt.Errorf("it has no terminal: %w", errors.ErrUnsupported)

// wait waits for the end of the process and of the copying.
func (l *live) wait(ctx context.Context) error {
	if err := await(ctx, l.done); err != nil {
		return err
	}
	return l.drain(ctx, nil)
}

// await waits for an end, or until ctx is done. Where both are so, the end counts.
func await(ctx context.Context, end <-chan struct{}) error {
	select {
	case <-end:
		return nil
	case <-ctx.Done():
	}
	if over(end) {
		return nil
	}
	return ctx.Err()
}

// attend waits for a program that ctx may end before, as os/exec does: Cancel is called, and after the
// delay the program is killed and the copying broken off.
func (l *live) attend(ctx context.Context) error {
	ctxErr := await(ctx, l.done)
	if ctxErr == nil {
		return l.drain(context.Background(), nil)
	}
	cancel := l.cancel
	if cancel == nil {
		cancel = func() error { return l.proc.Signal(syscall.SIGKILL) }
	}
	canceled := cancel()
	patience, enough := l.patience()
	defer enough()
	if await(patience, l.done) != nil {
		if err := l.proc.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("%w: %w", ctxErr, err)
		}
		<-l.done
	}
	return interrupted(ctxErr, canceled, l.drain(context.Background(), patience))
}

// interrupted is the error of a program that ended after its Cancel was called.
func interrupted(ctxErr, canceled, result error) error {
	if errors.Is(canceled, os.ErrProcessDone) {
		return result // by itself
	}
	err := ctxErr
	if canceled != nil {
		err = fmt.Errorf("%w: Cancel: %w", err, canceled)
	}
	if result != nil {
		err = fmt.Errorf("%w: %w", err, result)
	}
	return err
}

// patience is done when the delay is over; without a delay, never.
func (l *live) patience() (context.Context, context.CancelFunc) {
	if l.delay == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), l.delay)
}

// drain waits for the copying, once the process has ended, and breaks it off when patience, which begins
// here if it is nil, is over.
func (l *live) drain(ctx, patience context.Context) error {
	s := l.stdio
	if l.tty != nil {
		closeAll(s.pipes.mine) // a copy to a pipe that is not read would not end
	}
	if !over(s.copied) {
		if patience == nil {
			var enough context.CancelFunc
			patience, enough = l.patience()
			defer enough()
		}
		select {
		case <-s.copied:
		case <-patience.Done():
			s.stop(exec.ErrWaitDelay)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	closeAll(s.pipes.mine)
	if l.tty != nil {
		s.hangUp(l.tty)
	}
	return firstOf(l.exitError(), s.failure)
}

// exitError says why the program ended, nil for status 0.
func (l *live) exitError() error {
	switch {
	case l.err != nil:
		return &Error{"wait4", itoa(l.proc.Pid), l.err, "did the host program wait for any child?"}
	case l.status.Signaled():
		sig := l.status.Signal()
		return &ExitError{Code: 128 + int(sig), Signal: sig, OOM: l.oom}
	case l.status.ExitStatus() != 0:
		// Out of memory too where a child was killed for it and a shell passes its status on.
		return &ExitError{Code: l.status.ExitStatus(), OOM: l.oom}
	}
	return nil
}

// stop asks the program to end, and kills it if it does not.
func (l *live) stop(ctx context.Context) error {
	timeout := l.request.spec.StopTimeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	grace, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if l.proc.Signal(l.stopSignal()) == nil && await(grace, l.done) == nil {
		return nil
	}
	if err := l.proc.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-l.done
	return nil
}

// stopSignal is the signal that asks the program to end. One that is none, which only an image can still
// name here, must not keep the program from being killed in the end.
func (l *live) stopSignal() syscall.Signal {
	name := l.request.spec.StopSignal
	if name == "" {
		name = l.request.image.StopSignal
	}
	if sig, err := parseSignal(name); err == nil {
		return sig
	}
	return syscall.SIGTERM
}

// close kills, waits and takes back everything. A copy that the caller's Reader or Writer holds up may
// outlive it.
func (l *live) close() error {
	_ = l.proc.Signal(syscall.SIGKILL)
	<-l.done
	if l.supervisor != nil {
		sys.AwaitDeath(l.proc.Pidfd(), deathTime) // the supervisor may have been killed before it waited for it
		l.proc.Close()
	}
	survivors := l.endMounts()
	l.stdio.stop(nil)
	if l.tty != nil {
		l.stdio.hangUp(l.tty)
	}
	l.layer.close()
	return errors.Join(survivors, l.undo.run())
}

// cgroup is the container's own, or nil.
func (l *live) cgroup() *Cgroup {
	if l.group == nil || l.group.group == nil {
		return nil
	}
	return &Cgroup{l.group.group, l.group.group.Name()}
}
