package caisson

import (
	"context"
	"os"

	"github.com/caisson-go/caisson/internal/plan"
)

// start runs the program in the container of its process, or in its namespaces.
func (p *Process) start(ctx context.Context) (*live, error) {
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
	inside, err := c.running()
	if err != nil {
		return nil, err
	}
	if inside.ended() {
		return nil, os.ErrProcessDone
	}
	config, err := p.config(inside)
	if err != nil {
		return nil, err
	}
	compiled, err := plan.CompileExec(config)
	if err != nil {
		return nil, &Error{"plan", p.Args[0], err, ""}
	}
	return p.launch(ctx, &startup{
		plan: compiled, config: config, engine: c.engine, inside: inside, cgroup: inside.group.file(),
	}, &live{group: inside.group, engine: c.engine})
}

// launch starts a process by a plan and connects it.
func (p *Process) launch(ctx context.Context, s *startup, l *live) (_ *live, err error) {
	if l.stdio, err = p.openStdio(); err != nil {
		return nil, &Error{"open", "standard files", err, ""}
	}
	s.live, s.files = l, append(l.stdio.child[:], p.ExtraFiles...)
	err = s.run(ctx)
	s.plan.Recycle()
	if err != nil {
		l.stdio.abort()
		return nil, err
	}
	if l.tty != nil {
		l.stdio.attach(l.tty, p.Stdin, p.Stdout)
	}
	l.stdio.started()
	l.watch(s.release())
	go l.release()
	return l, nil
}

func (p *Process) openStdio() (*stdio, error) {
	if p.TTY != nil {
		return openStdio(nil, nil, nil)
	}
	return openStdio(p.Stdin, p.Stdout, p.Stderr)
}

// config is the container's own, with what the process changes.
func (p *Process) config(inside *live) (*plan.Config, error) {
	r := *inside.request
	spec := *r.spec
	r.spec = &spec
	r.detach = false
	r.extra, r.null = len(p.ExtraFiles), nulls(p.Stdin, p.Stdout, p.Stderr)
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
			return nil, &Error{"identity", r.userName(), err, "give a numeric user, or one that the container's /etc/passwd names"}
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

// release gives up the descriptors of a process that has ended and whose output has been copied.
func (l *live) release() {
	<-l.done
	l.proc.Close()
	if l.tty != nil {
		<-l.startFinish(0)
		_ = l.tty.Close()
	}
}
