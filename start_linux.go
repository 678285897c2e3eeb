package caisson

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
)

// blueprint is what a container was told to be when it was started, whatever its fields say since.
type blueprint struct {
	id     string
	engine *Engine
	spec   *Spec
	image  *Image // nil: the one of the spec
	from   streams
	detach bool
	cancel func() error
	delay  time.Duration
}

// start starts the container for the first time.
func (c *Container) start(ctx context.Context) (*live, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &blueprint{
		newID(), c.engine, c.Spec.clone(), c.image,
		streams{c.Stdin, c.Stdout, c.Stderr, c.ExtraFiles, c.life.pipes, c.TTY != nil}, c.Detach, c.Cancel, c.WaitDelay,
	}
	return b.start(ctx)
}

// start builds the container: what is on disk and outside its namespaces first, then the process.
// Whatever it makes it pushes on the undo stack, which becomes the container's.
func (b *blueprint) start(ctx context.Context) (_ *live, err error) {
	l := &live{blueprint: b, engine: b.engine, id: b.id, cancel: b.cancel, delay: b.delay, layer: newLayerLock()}
	defer func() {
		if err != nil {
			err = withCleanup(err, l.undo.run())
		}
	}()
	from := b.from
	if err := from.check(); err != nil {
		return nil, err
	}
	sup, err := b.engine.hostSupport()
	if err != nil {
		return nil, err
	}
	b.engine.state.sweeping.Do(b.engine.sweepOnce)
	r := &request{
		detach: b.detach, spec: b.spec, support: sup, id: l.id, extra: len(from.extra), null: from.nulls(), files: descriptorLimit(),
	}
	r.file = r.sourceIsFile
	if err := r.checkDetach(&from); err != nil {
		return nil, err
	}
	img, err := b.engine.choose(ctx, b.image, b.spec.Image)
	if err != nil {
		return nil, err
	}
	if err := b.engine.fill(r, img, &l.undo); err != nil {
		return nil, err
	}
	if r.detach {
		if err := b.engine.detachable(r, &l.undo); err != nil {
			return nil, err
		}
	}
	if l.group, err = b.engine.limit(&r.spec.Limits, r, &l.undo); err != nil {
		return nil, err
	}
	l.request = r
	if err := l.launch(ctx, &from); err != nil {
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
func (l *live) launch(ctx context.Context, from *streams) (err error) {
	r := l.request
	if l.stdio, err = openStdio(from); err != nil {
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
			return &Error{"plan", r.spec.Image, err, ""}
		}
		s := &startup{
			plan: p, config: config, engine: l.engine, support: r.support, live: l,
			files: append(l.stdio.child[:], from.extra...), cgroup: l.group.file(), lock: r.lock, empty: r.empty, guarded: !r.detach,
		}
		err = s.run(ctx)
		p.Recycle()
		if err == nil {
			l.run(s.release())
			return nil
		}
		if !l.engine.learn(err, r.support) {
			return err
		}
	}
}

// checkDetach refuses what would tie a detached container to this program.
func (r *request) checkDetach(from *streams) error {
	if !r.detach {
		return nil
	}
	if from.tty {
		return &Error{"detach", "terminal", errors.ErrUnsupported, "a terminal ends with the program that has its other side"}
	}
	for _, f := range []any{from.in, from.out, from.err} {
		if _, ok := f.(*os.File); f != nil && !ok {
			return &Error{"detach", "standard files", errors.ErrUnsupported, "give an *os.File or nothing: nobody would copy"}
		}
	}
	return nil
}

// sourceIsFile tells whether mount i shows something else than a directory. What cannot be looked at
// is left for the mount to complain about.
func (r *request) sourceIsFile(i int) bool {
	info, err := os.Stat(r.spec.Mounts[i].Source)
	return err == nil && !info.IsDir()
}

// clone is a copy that shares nothing with its original.
func (s *Spec) clone() *Spec {
	c := *s
	c.Args, c.Env, c.Groups = slices.Clone(s.Args), slices.Clone(s.Env), slices.Clone(s.Groups)
	c.Mounts = slices.Clone(s.Mounts)
	for i := range c.Mounts {
		c.Mounts[i].IDs = slices.Clone(c.Mounts[i].IDs)
	}
	c.Security.AddCapabilities = slices.Clone(s.Security.AddCapabilities)
	c.Security.DropCapabilities = slices.Clone(s.Security.DropCapabilities)
	if s.TTY != nil {
		size := *s.TTY
		c.TTY = &size
	}
	return &c
}

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
