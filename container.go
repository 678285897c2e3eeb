package caisson

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Container is a container: like exec.Cmd, set the fields, then Start. What it is made of stands in its
// Spec; what it reads and writes, and how long it is waited for, in the fields here. A Container runs
// once and must not be copied after Start. Its methods may be called from several goroutines.
type Container struct {
	Spec

	// Stdin is what the program reads. Nil: nothing, /dev/null. An *os.File is passed as it is; of
	// anything else a goroutine copies.
	Stdin io.Reader

	// Stdout and Stderr are what the program writes to. Nil: /dev/null. An *os.File is passed as it
	// is; to anything else a goroutine copies. If they are equal, one goroutine at a time writes.
	// With a terminal everything goes to Stdout.
	Stdout, Stderr io.Writer

	// ExtraFiles are passed on as descriptors 3, 4, and so on. Nil entries are closed.
	ExtraFiles []*os.File

	// Cancel is called when the context of Run, Output or CombinedOutput is done. Nil: kill every
	// process of the container.
	Cancel func() error

	// Detach lets the container outlive the host program. A supervisor of a few kilobytes waits for it.
	// Stdin, Stdout and Stderr are nil or an *os.File then, and there is no terminal. Without Detach the
	// container ends with the host program, however that ends.
	Detach bool

	// WaitDelay bounds how long Wait goes on, after the program has ended or Cancel was called, for
	// copying that does not end. Zero: without end.
	WaitDelay time.Duration

	engine *Engine
	image  *Image

	mu     sync.Mutex
	id     string
	closed bool
	live   *live
	pipes  pipes
}

// State is where a container is in its life.
type State string

// The states, in their order. There is no way back.
const (
	StateNew     State = "new"     // not started
	StateRunning State = "running" // its first process lives
	StateExited  State = "exited"  // its first process has ended; its files are still there
	StateClosed  State = "closed"  // nothing is left
)

// ID is the container's identity in its engine, 64 hexadecimal digits, or "" before Start.
func (c *Container) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// State is where the container is in its life.
func (c *Container) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return StateClosed
	case c.live == nil:
		return StateNew
	case c.live.ended():
		return StateExited
	}
	return StateRunning
}

// Pid is the first process's number in the host program's pid namespace, or 0 if there is none now.
func (c *Container) Pid() int {
	l, err := c.running()
	if err != nil {
		return 0
	}
	return l.pid()
}

// Start builds the container and starts its program. It returns when the program has been executed.
// ctx bounds the building only: a later cancel neither waits nor kills (Run's does). On error nothing
// is left behind.
//
// Errors: *Error naming the failed step, in which errors.Is finds the errno: fs.ErrNotExist for a
// program that is not there, fs.ErrPermission for one that may not be executed or a host that refuses,
// errors.ErrUnsupported for a system without containers; ctx.Err.
func (c *Container) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.live != nil:
		return errStarted
	case c.engine == nil:
		return errNoEngine
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := c.start(ctx)
	c.pipes.started(err)
	if err != nil {
		return err
	}
	c.live = l
	return nil
}

var (
	errStarted    = errors.New("caisson: container was already started")
	errNotStarted = errors.New("caisson: container is not started")
	errNoEngine   = errors.New("caisson: container of no engine; use Engine.New or Image.Command")
)

// running is the live part, while there is one.
func (c *Container) running() (*live, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.live == nil:
		return nil, errNotStarted
	}
	return c.live, nil
}

// Wait waits for the program to end and its output to be copied. It may be called more than once.
// When ctx is done first it returns ctx.Err and changes nothing.
//
// Errors: *ExitError if the program did not end with status 0; an error of copying; exec.ErrWaitDelay.
func (c *Container) Wait(ctx context.Context) error {
	l, err := c.running()
	if err != nil {
		return err
	}
	err = l.wait(ctx, c.WaitDelay)
	if l.ended() {
		c.pipes.close()
	}
	return err
}

// Run starts the container, waits for its end and closes it. When ctx is done, Cancel is called, which
// by default kills the container, and the error is ctx.Err.
func (c *Container) Run(ctx context.Context) (err error) {
	if err := c.Start(ctx); err != nil {
		return errors.Join(err, c.closeAfter(nil))
	}
	defer func() { err = errors.Join(err, c.closeAfter(err)) }()
	return await(ctx, c.cancel, func() error { return c.Wait(context.WithoutCancel(ctx)) })
}

// closeAfter closes the container of a run, whose own error tells more than a second one.
func (c *Container) closeAfter(err error) error {
	if e := c.Close(); err == nil {
		return e
	}
	return nil
}

// await waits while watching ctx.
func await(ctx context.Context, cancel func() error, wait func() error) error {
	var canceled error
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		canceled = cancel()
	})
	err := wait()
	if stop() {
		return err
	}
	<-done
	if canceled != nil && !errors.Is(canceled, os.ErrProcessDone) {
		return errors.Join(ctx.Err(), canceled)
	}
	if canceled == nil && err != nil {
		return ctx.Err()
	}
	return err
}

func (c *Container) cancel() error {
	if c.Cancel != nil {
		return c.Cancel()
	}
	return c.Signal(syscall.SIGKILL)
}

// Output runs the container and returns what it wrote to its standard output. If Stderr is nil, the
// last of what it wrote there is in the *ExitError.
func (c *Container) Output(ctx context.Context) ([]byte, error) {
	return output(&c.Stdout, &c.Stderr, func() error { return c.Run(ctx) })
}

// CombinedOutput runs the container and returns what it wrote to its standard output and error.
func (c *Container) CombinedOutput(ctx context.Context) ([]byte, error) {
	return combinedOutput(&c.Stdout, &c.Stderr, func() error { return c.Run(ctx) })
}

var errOutputSet = errors.New("caisson: Stdout or Stderr is already set")

func output(stdout, stderr *io.Writer, run func() error) ([]byte, error) {
	if *stdout != nil {
		return nil, errOutputSet
	}
	var out bytes.Buffer
	*stdout = &out
	tail := &tailBuffer{}
	if *stderr == nil {
		*stderr = tail
	}
	err := run()
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = tail.Bytes()
	}
	return out.Bytes(), err
}

func combinedOutput(stdout, stderr *io.Writer, run func() error) ([]byte, error) {
	if *stdout != nil || *stderr != nil {
		return nil, errOutputSet
	}
	var out bytes.Buffer
	*stdout, *stderr = &out, &out
	err := run()
	return out.Bytes(), err
}

// StdinPipe is a pipe to the program's standard input. Close it for the program to see the end.
func (c *Container) StdinPipe() (io.WriteCloser, error) { return c.pipes.stdin(&c.Stdin, c.State()) }

// StdoutPipe is a pipe from the program's standard output, closed by Wait: read it to its end first.
func (c *Container) StdoutPipe() (io.ReadCloser, error) { return c.pipes.output(&c.Stdout, c.State()) }

// StderrPipe is a pipe from the program's standard error, closed by Wait: read it to its end first.
func (c *Container) StderrPipe() (io.ReadCloser, error) { return c.pipes.output(&c.Stderr, c.State()) }

// Signal sends a signal to the container's first process. With Spec.Init that is the init, which passes
// it on; else it is the program, and as PID 1 it only gets what it handles, and SIGKILL.
//
// Errors: os.ErrProcessDone if it has ended.
func (c *Container) Signal(sig os.Signal) error {
	l, err := c.running()
	if err != nil {
		return err
	}
	return l.signal(sig)
}

// Resize changes the size of the program's terminal.
func (c *Container) Resize(w Winsize) error {
	l, err := c.running()
	if err != nil {
		return err
	}
	return l.resize(w)
}

// Stop ends the container: it sends the stop signal, waits for Spec.StopTimeout or until ctx is done,
// kills, and waits for the end. A container that has ended is no error.
func (c *Container) Stop(ctx context.Context) error {
	l, err := c.running()
	if err != nil {
		return err
	}
	sig, err := c.stopSignal()
	if err != nil {
		return err
	}
	timeout := c.StopTimeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	grace, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := l.signal(sig); err == nil {
		select {
		case <-l.exited():
			return nil
		case <-grace.Done():
		}
	}
	if err := l.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-l.exited()
	return nil
}

// Close kills the container's processes, waits for their end and removes everything it had: mounts,
// namespaces, cgroups, files. It may be called more than once, and on nil.
func (c *Container) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.pipes.close()
	if c.live == nil {
		return nil
	}
	return c.live.close()
}

// Timings are when the steps of the start began, and when it was over, if Spec.Trace asked for it.
func (c *Container) Timings() []Timing {
	l, err := c.running()
	if err != nil {
		return nil
	}
	return l.timings
}

// Timing is one step of a start.
type Timing struct {
	Step Step          // what was done
	Took time.Duration // until the next step began
}
