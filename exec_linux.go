package caisson

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
)

// start runs the program in the container of its process, or in its namespaces.
func (p *Process) start(ctx context.Context) (*live, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(p.namespaces) > 0 {
		compiled, config, files, err := p.joinedPlan()
		if err != nil {
			return nil, err
		}
		return p.launch(ctx, &startup{plan: compiled, config: config, engine: &Engine{}, join: files}, &live{})
	}
	c := p.container
	if c == nil {
		return nil, errNoContainer
	}
	inside, err := c.life.alive()
	if err != nil {
		return nil, c.failed("exec", err)
	}
	l, err := p.enter(ctx, inside)
	if err != nil && ctx.Err() == nil && inside.ending(err) {
		return nil, c.failed("exec", fmt.Errorf("%w (%v)", os.ErrProcessDone, err))
	}
	return l, err
}

// dying is how long a container whose end is the likely reason of an error is given to end.
const dying = time.Second

// ending tells whether an error is due to the end of the container that was to be entered. A process namespace
// kills what is in it before its first process is dead for all others; pid_namespaces(7). So that one is found
// without a root, or missing, or the new one is killed, a moment before the end.
func (l *live) ending(err error) bool {
	_, gone := os.Readlink("/proc/" + itoa(l.proc.Pid) + "/root")
	var e *Error
	var call *os.SyscallError
	killed := errors.As(err, &e) && e.Op == "clone" && !errors.As(err, &call)
	if !killed && !errors.Is(err, syscall.ESRCH) && !errors.Is(gone, fs.ErrNotExist) {
		return l.ended()
	}
	soon, cancel := context.WithTimeout(context.Background(), dying)
	defer cancel()
	return await(soon, l.done) == nil
}

// enter runs the program in a container.
func (p *Process) enter(ctx context.Context, inside *live) (*live, error) {
	config, err := p.config(inside)
	if err != nil {
		return nil, err
	}
	compiled, err := plan.CompileExec(config)
	if err != nil {
		return nil, &Error{"plan", p.Args[0], err, ""}
	}
	return p.launch(ctx, &startup{
		plan: compiled, config: config, engine: inside.engine, inside: inside, cgroup: inside.group.file(),
	}, &live{group: inside.group, engine: inside.engine})
}

// launch starts a process by a plan and connects it.
func (p *Process) launch(ctx context.Context, s *startup, l *live) (_ *live, err error) {
	from := &streams{p.Stdin, p.Stdout, p.Stderr, p.ExtraFiles, p.life.pipes, p.TTY != nil}
	if err := from.check(); err != nil {
		return nil, err
	}
	if l.stdio, err = openStdio(from); err != nil {
		return nil, &Error{"open", "standard files", err, ""}
	}
	l.cancel, l.delay = p.Cancel, p.WaitDelay
	s.live, s.files = l, append(l.stdio.child[:], p.ExtraFiles...)
	err = s.run(ctx)
	s.plan.Recycle()
	if err != nil {
		l.stdio.abort()
		return nil, err
	}
	l.run(s.release())
	return l, nil
}

// config is the container's own, with what the process changes.
func (p *Process) config(inside *live) (*plan.Config, error) {
	r := *inside.request
	spec := *r.spec
	r.spec = &spec
	r.detach = false
	r.extra, r.null = len(p.ExtraFiles), [3]bool{unset(p.Stdin), unset(p.Stdout), unset(p.Stderr)}
	spec.Args, spec.TTY, spec.Trace, spec.Init = p.Args, p.TTY, false, false
	spec.Env = append(append([]string(nil), spec.Env...), p.Env...)
	if p.Dir != "" {
		spec.Dir = p.Dir
	}
	if len(p.Args) == 0 {
		r.image.Args = nil
	}
	if p.User != "" || len(p.Groups) > 0 {
		if p.User != "" {
			spec.User = p.User
		}
		spec.Groups = p.Groups
		// The container may have changed its files since: what it says now counts, read as data.
		id, err := identityIn("/proc/"+itoa(inside.proc.Pid)+"/root", r.userName(), spec.Groups)
		if err != nil {
			return nil, identityError(r.userName(), err)
		}
		r.identity = id
	}
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	config.Etc, config.Mounts = nil, nil
	joinAll(&config.Namespaces, "container "+r.id[:12])
	return config, nil
}

// joinAll makes every namespace that is not the host's one to enter.
func joinAll(n *plan.Namespaces, object string) {
	for _, ns := range []*plan.Namespace{&n.Mount, &n.PID, &n.Net, &n.IPC, &n.UTS, &n.Cgroup, &n.Time} {
		if ns.Mode != plan.Host {
			*ns = plan.Namespace{Mode: plan.Join, Object: object}
		}
	}
	n.User.Object = object
}
