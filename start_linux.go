package caisson

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
)

// start builds the container: what is on disk and outside its namespaces first, then the process.
// Whatever it makes it pushes on the undo stack, which becomes the container's.
func (c *Container) start(ctx context.Context) (_ *live, err error) {
	l := &live{engine: c.engine}
	defer func() {
		if err != nil {
			err = withCleanup(err, l.undo.run())
		}
	}()
	sup, err := c.engine.hostSupport()
	if err != nil {
		return nil, err
	}
	c.engine.state.sweeping.Do(c.engine.sweepOnce)
	c.id = newID()
	if err := c.checkDetach(); err != nil {
		return nil, err
	}
	r := &request{detach: c.Detach, spec: &c.Spec, support: sup, id: c.id, extra: len(c.ExtraFiles), null: nulls(c.Stdin, c.Stdout, c.Stderr), file: c.sourceIsFile}
	if err := c.engine.fill(r, c.image, &l.undo); err != nil {
		return nil, err
	}
	if c.Detach {
		if _, err := c.engine.containerDir(r, &l.undo); err != nil {
			return nil, err
		}
	}
	group, err := c.engine.limit(&c.Limits, r, &l.undo)
	if err != nil {
		return nil, err
	}
	if err := c.launch(ctx, l, r, group); err != nil {
		return nil, err
	}
	return l, nil
}

// withCleanup adds what went wrong with taking back to what went wrong.
func withCleanup(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, &Error{"remove", "what the start had made", cleanup, ""})
}

func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it does not fail; crypto/rand
	return hex.EncodeToString(b[:])
}

// launch starts the process. A kernel that turns out to lack an optional ability gets the plan that does
// without; the engine remembers.
func (c *Container) launch(ctx context.Context, l *live, r *request, group *limitGroup) (err error) {
	if l.stdio, err = c.openStdio(); err != nil {
		return &Error{"open", "standard files", err, ""}
	}
	defer func() {
		if err != nil {
			l.stdio.abort()
		}
	}()
	for {
		config, err := r.config()
		if err != nil {
			return err
		}
		p, err := plan.Compile(config)
		if err != nil {
			return &Error{"plan", c.Image, err, ""}
		}
		s := &startup{
			plan: p, config: config, engine: c.engine, support: r.support, live: l,
			files: append(l.stdio.child[:], c.ExtraFiles...), cgroup: group.file(), lock: r.lock, guarded: !c.Detach,
		}
		err = s.run(ctx)
		p.Recycle()
		if err == nil {
			l.request = r
			return c.adopt(l, s, group)
		}
		if !c.engine.learn(err, r.support) {
			return err
		}
	}
}

func (c *Container) openStdio() (*stdio, error) {
	if c.TTY != nil {
		return openStdio(nil, nil, nil) // the terminal takes their place
	}
	return openStdio(c.Stdin, c.Stdout, c.Stderr)
}

// checkDetach refuses what would tie a detached container to this program.
func (c *Container) checkDetach() error {
	if !c.Detach {
		return nil
	}
	if c.TTY != nil {
		return &Error{"detach", "terminal", errors.ErrUnsupported, "a terminal ends with the program that has its other side"}
	}
	for _, f := range []any{c.Stdin, c.Stdout, c.Stderr} {
		if _, ok := f.(*os.File); f != nil && !ok {
			return &Error{"detach", "standard files", errors.ErrUnsupported, "give an *os.File or nothing: nobody would copy"}
		}
	}
	return nil
}

// adopt makes the started process the container's.
func (c *Container) adopt(l *live, s *startup, group *limitGroup) error {
	l.group = group
	if l.tty != nil {
		l.stdio.attach(l.tty, c.Stdin, c.Stdout)
	}
	l.stdio.started()
	l.watch(s.release())
	return nil
}

// sourceIsFile tells whether mount i shows something else than a directory. What cannot be looked at
// is left for the mount to complain about.
func (c *Container) sourceIsFile(i int) bool {
	info, err := os.Stat(c.Mounts[i].Source)
	return err == nil && !info.IsDir()
}

// stopSignal is the signal that asks the program to end.
func (c *Container) stopSignal() (os.Signal, error) {
	name := c.StopSignal
	if name == "" && c.image != nil {
		name = c.image.config.StopSignal
	}
	if name == "" {
		return syscall.SIGTERM, nil
	}
	return parseSignal(name)
}

func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// timings turns the times at which steps began into how long each took.
func timings(p *plan.Plan, began []time.Duration, end time.Duration) []Timing {
	var list []Timing
	for i, at := range began {
		next := end
		if i+1 < len(began) {
			next = began[i+1]
		}
		s := p.Steps[i]
		list = append(list, Timing{Step{s.Verb, s.Object, s.Why}, next - at})
	}
	return list
}

// terminalGone tells whether a read of a terminal's master failed because nobody holds the slave any
// more, which is the end of its output; pty(7).
func terminalGone(err error) bool { return errors.Is(err, syscall.EIO) || errors.Is(err, os.ErrClosed) }
