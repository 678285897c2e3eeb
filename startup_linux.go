package caisson

import (
	"context"
	"os"
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
	empty   *os.File // the empty mount namespace, if the plan begins there

	program *tape.Program
	status  *os.File // read end of the status pipe
	control *os.File // our end of the control socket, or nil
	stage   *launch.Process
	first   chan int        // of a detached container: the number of its first process, closed when there is no more to read
	tied    *launch.Process // of a detached container: its first process, which the supervisor's end kills
	guarded bool            // the process ends with this program
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
		Files: s.descriptors(theirs), CloneFlags: s.plan.CloneFlags, Cgroup: s.cgroup, Dir: dir,
	})
	program.Release()
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

// descriptors are the process's, by number: see plan.FDs.
func (s *startup) descriptors(theirs []*os.File) []*os.File {
	list := append(s.files, theirs...)
	if s.plan.FDs.Empty >= 0 {
		list = append(list, s.empty) // which stays the engine's
	}
	return list
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
	r, w, err := sys.Pipe()
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
	ends, err := s.exitStatus()
	theirs = append(theirs, ends...)
	if err != nil {
		return theirs, &Error{"open", "exit status", err, ""}
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

// release ends the guard later, without holding on to the startup and its program until then.
func (s *startup) release() func() {
	if s.entry == nil {
		return nil
	}
	return s.entry.Remove
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
	if s.config.Detach {
		s.first = make(chan int, 1)
	}
	if s.control != nil {
		go func() { served <- s.answer() }()
	} else {
		served <- nil
	}
	report, err := s.read()
	if s.first != nil {
		close(s.first)
	}
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
	if s.plan.Hands {
		_, mounts, err := sys.ReceiveFD(s.control)
		if err != nil {
			return err
		}
		s.live.mounts = mounts
	}
	if s.config.TTY != nil {
		_, master, err := sys.ReceiveFD(s.control)
		if err != nil {
			return err
		}
		s.live.tty = master
	}
	if s.config.Detach {
		return s.tie()
	}
	return nil
}
