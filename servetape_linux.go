package caisson

import (
	"context"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// serveTape runs a plan that executes no program but sends one message over the control socket, with a
// descriptor or without, and takes the message. The process has ended when this returns.
func serveTape(ctx context.Context, e *Engine, p *plan.Plan, c *plan.Config, join []*os.File, take func(*startup, *os.File) error) error {
	program, err := p.Tape.Link()
	if err != nil {
		return &Error{"plan", c.Args[0], err, ""}
	}
	s := &startup{plan: p, config: c, engine: e, live: &live{}, program: program}
	status, statusEnd, err := os.Pipe()
	if err != nil {
		return &Error{"pipe", "status", err, ""}
	}
	s.status = status
	control, controlEnd, err := sys.Socketpair()
	if err != nil {
		closeAll([]*os.File{status, statusEnd})
		return &Error{"socketpair", "control", err, ""}
	}
	s.control = control
	defer s.close()
	dir, err := e.dir()
	if err == nil {
		files := append([]*os.File{nil, nil, nil, statusEnd, controlEnd}, join...)
		s.stage, err = launch.Start(program, launch.Options{Files: files, Dir: dir})
	}
	closeAll([]*os.File{statusEnd, controlEnd})
	if err != nil {
		return &Error{"clone", "process", err, cloneHint(err)}
	}
	defer s.stage.Kill()
	stop := context.AfterFunc(ctx, func() { _ = s.stage.Signal(syscall.SIGKILL) })
	defer stop()
	return s.takeOne(ctx, take)
}

// takeOne receives the message, or says why there is none.
func (s *startup) takeOne(ctx context.Context, take func(*startup, *os.File) error) error {
	_, f, err := sys.ReceiveFD(s.control)
	if err == nil {
		return take(s, f)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r, readErr := s.read()
	return s.explain(r, readErr, err)
}
