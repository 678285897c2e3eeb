package caisson

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/guardian"
	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// startup runs one plan: it launches the tape, serves it (id maps, the terminal) and listens to what it
// reports until the program has been executed.
type startup struct {
	plan    *plan.Plan
	config  *plan.Config
	engine  *Engine
	support *Support
	live    *live
	files   []*os.File // the program's: standard and extra
	inside  *live      // the container to enter, or nil
	join    []*os.File // open namespaces to join, which stay the caller's
	cgroup  *os.File
	lock    *os.File // the container's directory, for a supervisor to hold

	program *tape.Program
	status  *os.File // read end of the status pipe
	control *os.File // our end of the control socket, or nil
	stage   *launch.Process
	guarded bool // the process ends with this program
	entry   *guardian.Entry
}

// run starts the process and returns when its program runs. On error no process is left.
func (s *startup) run(ctx context.Context) error {
	program, err := s.plan.Tape.Link()
	if err != nil {
		return &Error{"plan", s.config.Args[0], err, ""}
	}
	s.program = program
	theirs, err := s.open(ctx)
	defer func() { closeAll(theirs); s.close() }()
	if err != nil {
		return err
	}
	dir, err := s.engine.dir()
	if err != nil {
		return err
	}
	s.stage, err = launch.Start(program, launch.Options{
		Files: append(s.files, theirs...), CloneFlags: s.plan.CloneFlags, Cgroup: s.cgroup, Dir: dir,
	})
	if err != nil {
		return &Error{"clone", "the container's first process", err, cloneHint(err)}
	}
	if !s.plan.Staged {
		if err := s.guard(s.stage.Pid); err != nil {
			s.stage.Kill()
			return err
		}
	}
	// The pipe ends only when nobody but the process holds its other end.
	closeAll(theirs)
	theirs = nil
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, s.cancel)
		defer stop()
	}
	if err := s.serve(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// cancel ends a start. A stage is not killed: between making the container's process and reporting it,
// that would leave a child that nobody knows of. It waits for nothing but the control socket, whose end
// makes it give up, and for what it waits in the kernel there is a bound.
func (s *startup) cancel() {
	if !s.plan.Staged {
		_ = s.stage.Signal(syscall.SIGKILL)
		s.interrupt()
		return
	}
	const patience = 5 * time.Second
	_ = s.status.SetReadDeadline(time.Now().Add(patience))
	if s.control != nil {
		_ = s.control.Close()
	}
}

// open makes the pipes and opens the namespaces. It returns the tape's ends, in the order of plan.FDs.
func (s *startup) open(ctx context.Context) (theirs []*os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, &Error{"pipe", "status", err, ""}
	}
	s.status, theirs = r, append(theirs, w)
	if s.plan.FDs.Control >= 0 {
		mine, other, err := sys.Socketpair()
		if err != nil {
			return theirs, &Error{"socketpair", "control", err, ""}
		}
		s.control, theirs = mine, append(theirs, other)
	}
	if s.plan.FDs.Exit >= 0 {
		r, w, err := s.exitStatus()
		if err != nil {
			return theirs, &Error{"pipe", "exit status", err, ""}
		}
		s.live.report, theirs = r, append(theirs, w)
	}
	if s.plan.FDs.Lock >= 0 {
		// The same open file, so that the lock is held until the supervisor ends too; flock(2).
		lock, err := sys.Dup(s.lock)
		if err != nil {
			return theirs, &Error{"dup", s.lock.Name(), err, ""}
		}
		theirs = append(theirs, lock)
	}
	given := s.join
	if s.inside != nil {
		given = []*os.File{s.inside.proc.Pidfd()}
	}
	for _, f := range given {
		// A copy, because what is passed is closed here.
		dup, err := sys.Dup(f)
		if err != nil {
			return theirs, &Error{"dup", f.Name(), err, "is it closed already?"}
		}
		theirs = append(theirs, dup)
	}
	if given != nil {
		return theirs, nil
	}
	joined, err := openNamespaces(s.plan.Joins)
	theirs = append(theirs, joined...)
	for i := range s.config.Mounts {
		if err == nil && len(s.config.Mounts[i].IDMap) > 0 {
			var f *os.File
			if f, err = mapNamespace(ctx, s.engine, &s.config.Mounts[i]); err == nil {
				theirs = append(theirs, f)
			}
		}
	}
	return theirs, err
}

// exitStatus is where an init or a supervisor writes the program's status: a pipe; or, where this program
// may be gone by then, a file in the container's directory.
func (s *startup) exitStatus() (r, w *os.File, err error) {
	if !s.config.Detach {
		return os.Pipe()
	}
	path := filepath.Join(s.lock.Name(), "exit")
	if w, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, nil, err
	}
	if r, err = os.Open(path); err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return r, w, nil
}

// interrupt makes a read that waits for the tape return.
func (s *startup) interrupt() {
	_ = s.status.SetReadDeadline(time.Unix(1, 0))
	if s.control != nil {
		_ = s.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// unguard ends the guard, before the process can be reaped and its number be another's.
func (s *startup) unguard() {
	if s.entry != nil {
		s.entry.Remove()
	}
}

func (s *startup) close() {
	if s.status != nil {
		_ = s.status.Close()
	}
	if s.control != nil {
		_ = s.control.Close()
	}
}

// serve answers the tape and reads its report.
func (s *startup) serve(ctx context.Context) error {
	served := make(chan error, 1)
	if s.control != nil {
		go func() { served <- s.answer() }()
	} else {
		served <- nil
	}
	report, err := s.read()
	if report.failed || err != nil || !report.ready {
		s.interrupt()
	}
	answered := <-served
	if err == nil {
		err = ctx.Err()
	}
	if err := s.settle(report, err, answered); err != nil {
		return err
	}
	if s.plan.Marks > 0 {
		s.live.timings = timings(s.plan, report.began, report.end)
	}
	return nil
}

// answer writes the id maps and takes the terminal, as the tape asks for them.
func (s *startup) answer() error {
	if s.plan.Maps {
		if _, _, err := sys.ReceiveFD(s.control); err != nil {
			return err
		}
		if err := s.writeMaps(s.stage.Pid); err != nil {
			_ = s.control.Close() // the tape reads the end and gives up
			return err
		}
		if _, err := s.control.Write([]byte("m")); err != nil {
			return err
		}
	}
	if s.config.TTY != nil {
		_, master, err := sys.ReceiveFD(s.control)
		if err != nil {
			return err
		}
		s.live.tty = master
	}
	return nil
}

// report is what a tape said before it became the program, or died.
type report struct {
	pid    int  // of the container's first process, if a stage made it
	ready  bool // everything was set up
	failed bool
	denied []tape.Failure // places of the program that may not be executed
	last   tape.Failure
	began  []time.Duration
	end    time.Duration
}

// read reads records of eight bytes until the pipe ends: a pid, "ready", or a failed operation.
func (s *startup) read() (report, error) {
	var r report
	buf := make([]byte, tape.FailureSize)
	for {
		_, err := io.ReadFull(s.status, buf)
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		first, op := binary.LittleEndian.Uint32(buf), binary.LittleEndian.Uint32(buf[4:])
		switch {
		case op == 0 && first == 0:
			r.ready = true
			if err := s.readMarks(&r); err != nil {
				return r, err
			}
		case op == 0:
			r.pid = int(first)
			if err := s.guard(r.pid); err != nil {
				return r, err
			}
		default:
			f := s.program.DecodeFailure(buf)
			r.last = f
			if s.isCandidate(f) {
				r.denied = append(r.denied, f)
			} else {
				r.failed = true
			}
		}
	}
}

// isCandidate tells whether the failed operation is an attempt to execute that another follows.
func (s *startup) isCandidate(f tape.Failure) bool {
	return f.Errno == syscall.EACCES && f.Op >= 0 && s.plan.Tape.CallOf(f.Op).String() == "execve" && f.Op != s.plan.LastExec
}

func (s *startup) readMarks(r *report) error {
	if s.plan.Marks == 0 {
		return nil
	}
	buf := make([]byte, s.plan.Marks*plan.MarkSize)
	if _, err := io.ReadFull(s.status, buf); err != nil {
		return err
	}
	for i := range s.plan.Marks {
		sec := binary.LittleEndian.Uint64(buf[i*plan.MarkSize:])
		nsec := binary.LittleEndian.Uint64(buf[i*plan.MarkSize+8:])
		r.began = append(r.began, time.Duration(sec)*time.Second+time.Duration(nsec))
	}
	r.end = r.began[len(r.began)-1]
	return nil
}

// settle decides what came of the start, and sees to it that on error no process is left.
func (s *startup) settle(r report, read, answered error) error {
	first := s.stage
	if s.plan.Staged {
		first = nil
		if r.pid != 0 {
			p, err := launch.Adopt(r.pid)
			if err != nil {
				s.stage.Kill()
				return &Error{"pidfd_open", itoa(r.pid), err, ""}
			}
			first = p
		}
	}
	if r.ready && !r.failed && read == nil && answered == nil && first != nil {
		switch {
		case s.config.Detach:
			s.live.supervisor = s.stage
		case s.plan.Staged:
			s.stage.Kill() // it has ended, or is about to
		}
		s.live.proc = first
		return nil
	}
	s.unguard()
	if s.plan.Staged && first != nil {
		s.discard(first)
	}
	s.stage.Kill()
	if s.live.report != nil {
		_ = s.live.report.Close()
		s.live.report = nil
	}
	if s.live.tty != nil {
		_ = s.live.tty.Close()
		s.live.tty = nil
	}
	return s.explain(r, read, answered)
}

// discard ends a process that a stage made. A supervisor's child is reaped by it or, when it is gone too,
// by init.
func (s *startup) discard(p *launch.Process) {
	if !s.config.Detach {
		p.Kill()
		return
	}
	_ = p.Signal(syscall.SIGKILL)
	_, _, _ = s.stage.Wait()
	p.Close()
}

// explain is the error of a start that failed.
func (s *startup) explain(r report, read, answered error) error {
	if r.failed || len(r.denied) > 0 && !r.ready {
		return s.failure(r)
	}
	if answered != nil && !errors.Is(answered, io.EOF) && !errors.Is(answered, os.ErrDeadlineExceeded) {
		return answered
	}
	if read != nil && !errors.Is(read, os.ErrDeadlineExceeded) {
		return &Error{"read", "status of the start", read, ""}
	}
	status, _, err := s.stage.Wait()
	if err == nil && status.Signaled() {
		err = errors.New("killed by " + status.Signal().String() + " before the program was executed")
	} else if err == nil {
		err = errors.New("ended before the program was executed")
	}
	return &Error{"clone", "the container's first process", err, "is memory short, or does a seccomp filter kill?"}
}

// failure names the step and the system call that failed. Where several places of the program were
// tried, one that may not be executed tells more than one that is not there.
func (s *startup) failure(r report) *Error {
	f := r.last
	if len(r.denied) > 0 && f.Op == s.plan.LastExec {
		f = r.denied[0]
	}
	section := s.plan.Tape.SectionOf(f.Op)
	if section < 0 {
		return &Error{"start", "unknown step", f.Errno, ""}
	}
	step := s.plan.Steps[section]
	call := s.plan.Tape.CallOf(f.Op).String()
	hint := s.plan.Tape.NoteOf(f.Op)
	if hint == "" {
		hint = stepHint(step.Verb, call, f.Errno)
	}
	return &Error{Op: step.Verb, Path: step.Object, Err: os.NewSyscallError(call, f.Errno), Hint: hint}
}
