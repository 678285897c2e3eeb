package caisson

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// Container is a container: like exec.Cmd, set the fields, then Start. What it is made of stands in its
// Spec; what it reads and writes, and how long it is waited for, in the fields here. Start takes a copy of
// all of them: what is set later has no effect.
//
// A Container runs once and must not be copied. Its methods may be called from several goroutines and at
// any time, while Start or Close is at work too. Its fields are for one goroutine alone until Start is
// called, and StdinPipe and its siblings set fields.
type Container struct {
	Spec

	// Stdin is what the program reads. Nil, and a nil *os.File: nothing, /dev/null. An *os.File is passed
	// as it is; of anything else a goroutine copies, for the end of which Wait waits. Close does not: a Read
	// that blocks may go on after it, and what it gets is lost.
	//
	// With a terminal a goroutine copies in any case, and Wait does not wait for it. It leaves an *os.File,
	// such as os.Stdin, alone once Wait has returned. Of any other Reader the Read that it is in then goes on.
	Stdin io.Reader

	// Stdout and Stderr are what the program writes to. Nil, and a nil *os.File: /dev/null. An *os.File is
	// passed as it is; to anything else a goroutine copies. If they are equal, one goroutine at a time
	// writes. Close, and Wait after WaitDelay, wait a second for a Write that is at work; one that hangs goes
	// on after them. With a terminal everything goes to Stdout, and an error of Write hangs up: SIGHUP.
	Stdout, Stderr io.Writer

	// ExtraFiles are passed on as descriptors 3, 4, and so on. Nil entries are closed.
	ExtraFiles []*os.File

	// Cancel is called when the context of Run, Output or CombinedOutput is done. It may do without killing,
	// by a signal for example; then WaitDelay bounds what follows. That it returns os.ErrProcessDone says that
	// the program has ended by itself. Nil: kill every process of the container.
	Cancel func() error

	// Detach lets the container outlive the host program. A supervisor of a few kilobytes waits for it.
	// Stdin, Stdout and Stderr are nil or an *os.File then, and there is no terminal. Without Detach the
	// container ends with the host program, however that ends.
	Detach bool

	// WaitDelay bounds two things, from when the context of Run is done, or else the program has ended: how
	// long a program goes on that Cancel did not end, which is killed then; and how long copying goes on
	// that does not end, which is broken off, with exec.ErrWaitDelay if nothing worse is to be told. Zero:
	// no bound.
	WaitDelay time.Duration

	engine *Engine
	image  *Image
	life   life
}

// State is where a container is in its life.
type State string

// The states, in their order. There is no way back.
const (
	StateNew     State = "new"     // not started, or Start is still at work
	StateRunning State = "running" // its first process lives
	StateExited  State = "exited"  // its first process has ended; its files are still there
	StateClosed  State = "closed"  // nothing is left: Close has returned, or Start has failed
)

var errNoEngine = errors.New("no engine")

// ID is the container's identity in its engine, 64 hexadecimal digits, or "" if it has not started. It
// stays when the container is closed.
func (c *Container) ID() string {
	if l := c.life.program(); l != nil {
		return l.id
	}
	return ""
}

// object is what errors call the container.
func (c *Container) object() string {
	switch id := c.ID(); {
	case id != "":
		return "container " + id[:12]
	case len(c.Args) > 0:
		return "container of " + c.Args[0]
	}
	return "container of image " + c.Image
}

// failed names the container in an error.
func (c *Container) failed(op string, err error) error { return named(op, c.object, err) }

// State is where the container is in its life.
func (c *Container) State() State { return c.life.state() }

// Pid is the first process's number in the host program's pid namespace, or 0 if there is none now.
// Source: pid_namespaces(7).
func (c *Container) Pid() int {
	if l := c.life.program(); l != nil {
		return l.pid()
	}
	return 0
}

// Start builds the container and starts its program. It returns when the program has been executed.
// ctx bounds the building only: a later cancel neither waits nor kills (Run's does). Close ends a Start
// that is at work. On error nothing is left behind, and it cannot be tried again with this Container.
//
// Errors: *Error naming the failed step, in which errors.Is finds the errno: fs.ErrNotExist for a
// program that is not there, fs.ErrPermission for one that may not be executed or a host that refuses,
// errors.ErrUnsupported for a system without containers, fs.ErrClosed for a file that is closed;
// ErrStarted; ErrClosed; ctx.Err.
func (c *Container) Start(ctx context.Context) error {
	if c.engine == nil {
		return c.failed("start", errNoEngine)
	}
	return c.failed("start", c.life.start(ctx, c.start))
}

// Wait waits for the program to end and its output to be copied, and closes the pipes of StdinPipe and
// its siblings. It may be called more than once. When ctx is done first it returns ctx.Err and changes
// nothing; for a program that has ended, with all copied, ctx does not matter.
//
// Errors: *ExitError if the program did not end with status 0; else an error of copying, or
// exec.ErrWaitDelay; ErrNotStarted; ErrClosed. Source: waitid(2), pidfd_open(2).
func (c *Container) Wait(ctx context.Context) error {
	l, err := c.life.running()
	if err != nil {
		return c.failed("wait", err)
	}
	return l.wait(ctx)
}

// Run starts the container, waits for its end and closes it. When ctx is done, Cancel is called, which
// by default kills the container, and after WaitDelay, if that is not zero, it is killed in any case.
//
// Errors: as of Start and Wait. If ctx was done before the program ended, the error is ctx.Err; unless
// the program ended with status 0 it is also what Wait would say, so that errors.As finds the *ExitError
// and ExitCode its code. An error of Cancel is in it too, except that after os.ErrProcessDone the result
// is Wait's alone.
func (c *Container) Run(ctx context.Context) (err error) {
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer func() {
		closing := c.Close()
		err = firstOf(err, closing)
	}()
	l, err := c.life.running()
	if err != nil {
		return c.failed("wait", err)
	}
	return l.attend(ctx)
}

// Output runs the container and returns what it wrote to its standard output. If Stderr is nil, the
// last 32 KiB of what it wrote there are in the *ExitError.
//
// Errors: as Run; *Error if Stdout is set.
func (c *Container) Output(ctx context.Context) ([]byte, error) {
	return output(&c.Stdout, &c.Stderr, c.object, func() error { return c.Run(ctx) })
}

// CombinedOutput runs the container and returns what it wrote to its standard output and error.
//
// Errors: as Run; *Error if Stdout or Stderr is set.
func (c *Container) CombinedOutput(ctx context.Context) ([]byte, error) {
	return combinedOutput(&c.Stdout, &c.Stderr, c.object, func() error { return c.Run(ctx) })
}

// StdinPipe is a pipe to the program's standard input, or its terminal. Close it for the program to see
// the end; of a terminal the end is a character, usually 4, and closing the pipe does nothing to it. Wait and
// Close close the pipe too. Writing to it after the end of the program is syscall.EPIPE or fs.ErrClosed.
//
// Errors: *Error; ErrStarted; ErrClosed; if Stdin is set. Source: pipe(7), pty(7), termios(3).
func (c *Container) StdinPipe() (io.WriteCloser, error) {
	w, err := c.life.stdinPipe(&c.Stdin)
	return w, pipeError("Stdin", c.object, err)
}

// StdoutPipe is a pipe from the program's standard output, or its terminal. Wait and Close close it: read
// it to its end first. The end comes when no process has the other side any more.
//
// Errors: *Error; ErrStarted; ErrClosed; if Stdout is set. Source: pipe(7), pty(7).
func (c *Container) StdoutPipe() (io.ReadCloser, error) {
	r, err := c.life.outputPipe(&c.Stdout)
	return r, pipeError("Stdout", c.object, err)
}

// StderrPipe is a pipe from the program's standard error, as StdoutPipe. With a terminal, which shows
// everything in one place, there is nothing in it but the end.
//
// Errors: *Error; ErrStarted; ErrClosed; if Stderr is set. Source: pipe(7), pty(7).
func (c *Container) StderrPipe() (io.ReadCloser, error) {
	r, err := c.life.outputPipe(&c.Stderr)
	return r, pipeError("Stderr", c.object, err)
}

// Signal sends a signal to the container's first process. With Spec.Init that is the init, which passes
// it on; else it is the program, and as PID 1 it only gets what it handles, and SIGKILL.
//
// Errors: *Error; os.ErrProcessDone if it has ended; ErrNotStarted; ErrClosed; errors.ErrUnsupported for
// what is no syscall.Signal. Source: pidfd_send_signal(2), pid_namespaces(7).
func (c *Container) Signal(sig os.Signal) error {
	l, err := c.life.running()
	if err == nil {
		err = l.signal(sig)
	}
	return c.failed("kill", err)
}

// Resize changes the size of the program's terminal. The programs in its foreground get SIGWINCH if it is
// another one than before.
//
// Errors: *Error; errors.ErrUnsupported without Spec.TTY; os.ErrProcessDone if the program has ended;
// ErrNotStarted; ErrClosed. Source: ioctl_tty(2), TIOCSWINSZ; pty(7).
func (c *Container) Resize(w Winsize) error {
	l, err := c.life.running()
	if err == nil {
		err = l.resize(w)
	}
	return c.failed("resize", err)
}

// Stop ends the container: it sends the stop signal, waits for Spec.StopTimeout or until ctx is done,
// kills, and waits for the end. A container that has ended is no error, and that ctx was done is none
// either. What the container has is still there: Close removes it.
//
// Errors: *Error; ErrNotStarted; ErrClosed. Source: pidfd_send_signal(2), pid_namespaces(7).
func (c *Container) Stop(ctx context.Context) error {
	l, err := c.life.running()
	if err == nil {
		err = l.stop(ctx)
	}
	return c.failed("stop", err)
}

// Close kills the container's processes, waits for their end and removes everything it had: mounts,
// namespaces, cgroups, files. It ends a Start that is at work. A Read of Stdin or a Write to Stdout or
// Stderr that does not return is left behind, with its goroutine; Close waits a second for a Write. It may
// be called more than once, and on nil; every call returns when nothing is left, with the same error.
//
// Errors: *Error for each thing that could not be removed, or process that could not be killed.
// Source: pid_namespaces(7), "The namespace's init process"; cgroups(7).
func (c *Container) Close() error {
	if c == nil {
		return nil
	}
	return c.life.close()
}

// Timings are how long each step of the start took, in order, if Spec.Trace asked for it; else, and
// before the start, there are none. They stay when the container is closed.
func (c *Container) Timings() []Timing {
	if l := c.life.program(); l != nil {
		return slices.Clone(l.timings)
	}
	return nil
}

// Timing is one step of a start.
type Timing struct {
	Step Step          // what was done
	Took time.Duration // from its beginning to that of the next step; clock_gettime(2), CLOCK_MONOTONIC
}
