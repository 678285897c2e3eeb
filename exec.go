package caisson

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Process is a further program in a running container: like exec.Cmd, set the fields, then Start. It
// has the container's namespaces, limits and security, and ends with it at the latest.
//
// A Process runs once and must not be copied. Its methods may be called from several goroutines and at any
// time. Its fields are for one goroutine alone until Start is called, after which they have no effect, and
// StdinPipe and its siblings set fields.
type Process struct {
	// Args is the program and its arguments, looked up as Spec.Args.
	Args []string

	// Env is added to the container's environment, each entry "key=value".
	Env []string

	// Dir is the working directory. Empty: the container's.
	Dir string

	// User is as in Spec. Empty: the container's.
	User string

	// Groups are as in Spec. Empty: the container's, unless User is set.
	Groups []string

	// TTY gives the program a terminal of this size, as Spec.TTY. Nil: none.
	TTY *Winsize

	Stdin      io.Reader     // as in Container
	Stdout     io.Writer     // as in Container
	Stderr     io.Writer     // as in Container
	ExtraFiles []*os.File    // as in Container
	Cancel     func() error  // as in Container; nil: kill the program, and not what it has started
	WaitDelay  time.Duration // as in Container

	container  *Container
	namespaces []*Namespace
	life       life
}

var errNoContainer = errors.New("no container and no namespace")

// Exec is a further program in the container, which must run by the time of the program's Start. What
// Start has started wants a Wait, which gives back the pipes and tells how it ended; Run does both.
func (c *Container) Exec(arg ...string) *Process {
	return &Process{Args: arg, container: c}
}

// object is what errors call the program.
func (p *Process) object() string {
	name := "program"
	if len(p.Args) > 0 {
		name += " " + p.Args[0]
	}
	if p.container != nil {
		name += " in " + p.container.object()
	}
	return name
}

// failed names the program in an error.
func (p *Process) failed(op string, err error) error { return named(op, p.object, err) }

// Start executes the program. It returns when that has happened. ctx bounds the start only. After an error
// it cannot be tried again with this Process.
//
// Errors: as Container.Start; ErrNotStarted, os.ErrProcessDone or ErrClosed if the container does not run.
// Source: setns(2), pid_namespaces(7).
func (p *Process) Start(ctx context.Context) error {
	return p.failed("start", p.life.start(ctx, p.start))
}

// Wait waits for the program to end and its output to be copied, as Container.Wait, and closes the pipes.
// The program ends with its container at the latest.
//
// Errors: as Container.Wait.
func (p *Process) Wait(ctx context.Context) error {
	l, err := p.life.running()
	if err != nil {
		return p.failed("wait", err)
	}
	return l.wait(ctx)
}

// Run starts the program and waits for its end. When ctx is done, Cancel is called, which by default
// kills the program, and after WaitDelay, if that is not zero, it is killed in any case. What it has started
// itself goes on in the container.
//
// Errors: as Container.Run.
func (p *Process) Run(ctx context.Context) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	l, err := p.life.running()
	if err != nil {
		return p.failed("wait", err)
	}
	return l.attend(ctx)
}

// Output runs the program and returns what it wrote to its standard output, as Container.Output.
//
// Errors: as Container.Output.
func (p *Process) Output(ctx context.Context) ([]byte, error) {
	return output(&p.Stdout, &p.Stderr, p.object, func() error { return p.Run(ctx) })
}

// CombinedOutput runs the program and returns what it wrote to its standard output and error.
//
// Errors: as Container.CombinedOutput.
func (p *Process) CombinedOutput(ctx context.Context) ([]byte, error) {
	return combinedOutput(&p.Stdout, &p.Stderr, p.object, func() error { return p.Run(ctx) })
}

// StdinPipe is a pipe to the program's standard input, or its terminal, as Container.StdinPipe. Wait closes
// it.
//
// Errors: as Container.StdinPipe.
func (p *Process) StdinPipe() (io.WriteCloser, error) {
	w, err := p.life.stdinPipe(&p.Stdin)
	return w, pipeError("Stdin", p.object, err)
}

// StdoutPipe is a pipe from the program's standard output, or its terminal, as Container.StdoutPipe, closed
// by Wait: read it to its end first.
//
// Errors: as Container.StdoutPipe.
func (p *Process) StdoutPipe() (io.ReadCloser, error) {
	r, err := p.life.outputPipe(&p.Stdout)
	return r, pipeError("Stdout", p.object, err)
}

// StderrPipe is a pipe from the program's standard error, closed by Wait: read it to its end first. With a
// terminal there is nothing in it but the end.
//
// Errors: as Container.StderrPipe.
func (p *Process) StderrPipe() (io.ReadCloser, error) {
	r, err := p.life.outputPipe(&p.Stderr)
	return r, pipeError("Stderr", p.object, err)
}

// Signal sends a signal to the program. It is not PID 1, and what it does not handle does what it does
// everywhere; signal(7).
//
// Errors: *Error; os.ErrProcessDone if it has ended; ErrNotStarted; errors.ErrUnsupported for what is no
// syscall.Signal. Source: pidfd_send_signal(2).
func (p *Process) Signal(sig os.Signal) error {
	l, err := p.life.running()
	if err == nil {
		err = l.signal(sig)
	}
	return p.failed("kill", err)
}

// Resize changes the size of the program's terminal, as Container.Resize.
//
// Errors: *Error; errors.ErrUnsupported without TTY; os.ErrProcessDone if the program has ended;
// ErrNotStarted. Source: ioctl_tty(2), TIOCSWINSZ; pty(7).
func (p *Process) Resize(w Winsize) error {
	l, err := p.life.running()
	if err == nil {
		err = l.resize(w)
	}
	return p.failed("resize", err)
}

// Pid is the program's number in the host program's pid namespace, or 0 if it does not run.
// Source: pid_namespaces(7).
func (p *Process) Pid() int {
	if l := p.life.program(); l != nil {
		return l.pid()
	}
	return 0
}
