package caisson

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Process is a further program in a running container: like exec.Cmd, set the fields, then Start. It
// has the container's namespaces, limits and security, and ends with it at the latest.
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

	// TTY gives the program a terminal of this size. Nil: none.
	TTY *Winsize

	Stdin      io.Reader     // as in Container
	Stdout     io.Writer     // as in Container
	Stderr     io.Writer     // as in Container
	ExtraFiles []*os.File    // as in Container
	Cancel     func() error  // called when the context of Run is done; nil: kill the program
	WaitDelay  time.Duration // as in Container

	container  *Container
	namespaces []*Namespace
	mu         sync.Mutex
	live       *live
	pipes      pipes
}

// Exec is a further program in the container, which must run by the time of the program's Start.
func (c *Container) Exec(arg ...string) *Process {
	return &Process{Args: arg, container: c}
}

// Start executes the program. It returns when that has happened. ctx bounds the start only.
//
// Errors: as Container.Start; ErrClosed or os.ErrProcessDone if the container does not run.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != nil {
		return errStarted
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := p.start(ctx)
	p.pipes.started(err)
	if err != nil {
		return err
	}
	p.live = l
	return nil
}

func (p *Process) running() (*live, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		return nil, errNotStarted
	}
	return p.live, nil
}

// Wait waits for the program to end and its output to be copied, as Container.Wait.
func (p *Process) Wait(ctx context.Context) error {
	l, err := p.running()
	if err != nil {
		return err
	}
	err = l.wait(ctx, p.WaitDelay)
	if l.ended() {
		p.pipes.close()
	}
	return err
}

// Run starts the program and waits for its end. When ctx is done, Cancel is called, which by default
// kills the program, and the error is ctx.Err.
func (p *Process) Run(ctx context.Context) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	return await(ctx, p.cancel, func() error { return p.Wait(context.WithoutCancel(ctx)) })
}

func (p *Process) cancel() error {
	if p.Cancel != nil {
		return p.Cancel()
	}
	return p.Signal(syscall.SIGKILL)
}

// Output runs the program and returns what it wrote to its standard output, as Container.Output.
func (p *Process) Output(ctx context.Context) ([]byte, error) {
	return output(&p.Stdout, &p.Stderr, func() error { return p.Run(ctx) })
}

// CombinedOutput runs the program and returns what it wrote to its standard output and error.
func (p *Process) CombinedOutput(ctx context.Context) ([]byte, error) {
	return combinedOutput(&p.Stdout, &p.Stderr, func() error { return p.Run(ctx) })
}

// StdinPipe is a pipe to the program's standard input. Close it for the program to see the end.
func (p *Process) StdinPipe() (io.WriteCloser, error) { return p.pipes.stdin(&p.Stdin, p.state()) }

// StdoutPipe is a pipe from the program's standard output, closed by Wait: read it to its end first.
func (p *Process) StdoutPipe() (io.ReadCloser, error) { return p.pipes.output(&p.Stdout, p.state()) }

// StderrPipe is a pipe from the program's standard error, closed by Wait: read it to its end first.
func (p *Process) StderrPipe() (io.ReadCloser, error) { return p.pipes.output(&p.Stderr, p.state()) }

func (p *Process) state() State {
	if _, err := p.running(); err != nil {
		return StateNew
	}
	return StateRunning
}

// Signal sends a signal to the program.
//
// Errors: os.ErrProcessDone if it has ended.
func (p *Process) Signal(sig os.Signal) error {
	l, err := p.running()
	if err != nil {
		return err
	}
	return l.signal(sig)
}

// Resize changes the size of the program's terminal.
func (p *Process) Resize(w Winsize) error {
	l, err := p.running()
	if err != nil {
		return err
	}
	return l.resize(w)
}

// Pid is the program's number in the host program's pid namespace, or 0 if it does not run.
func (p *Process) Pid() int {
	l, err := p.running()
	if err != nil {
		return 0
	}
	return l.pid()
}

var errNoContainer = errors.New("caisson: process of no container; use Container.Exec")
