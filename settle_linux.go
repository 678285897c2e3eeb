package caisson

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
)

// settle decides what came of the start, and sees to it that on error no process is left.
func (s *startup) settle(r report, read, answered error) error {
	first := s.stage
	if s.plan.Staged {
		first = s.tied // a detached one may have ended, and been waited for by its supervisor
		if r.pid != 0 && first == nil {
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
	survivors := s.live.endMounts() // it may have come as far as executing the program, which a context then ended
	if s.live.report != nil {
		_ = s.live.report.Close()
		s.live.report = nil
	}
	if s.live.tty != nil {
		_ = s.live.tty.Close()
		s.live.tty = nil
	}
	return withCleanup(s.explain(r, read, answered), survivors)
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
	sys.AwaitDeath(p.Pidfd(), deathTime)
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
		hint = s.stepHint(step.Verb, call, f.Errno)
	}
	return &Error{Op: step.Verb, Path: step.Object, Err: os.NewSyscallError(call, f.Errno), Hint: hint}
}
