package guardian

import (
	"os"
	"sync"
	"time"
)

const (
	// idleFor is how long a guardian stays without anything to guard: longer than a program takes from one
	// container to the next, whose start would else pay for another; shorter than anybody minds a process
	// that does nothing.
	idleFor = 2 * time.Second

	// replaceEvery is how often a guardian that something keeps killing is started again by itself.
	replaceEvery = time.Second
)

// Guardian guards processes. It is safe for concurrent use, and holds nothing while there is nothing to
// guard. Its owner keeps one for the whole host program.
type Guardian struct {
	dir     string
	idleFor time.Duration

	mu     sync.Mutex
	closed bool
	table  *table   // nil while idle
	proc   *process // nil while idle, or if it could not be replaced
	live   int      // entries in use
	idle   *time.Timer
	retry  *time.Timer
	ending sync.WaitGroup
	gone   chan struct{} // closed when the last guardian that was stopped is gone; nil if none was
}

// New returns a Guardian that starts when it is needed. Where the host forbids programs in memory, the
// program's file lies, nameless, in dir.
func New(dir string) *Guardian { return &Guardian{dir: dir, idleFor: idleFor} }

// Entry is one guarded process.
type Entry struct {
	g     *Guardian
	table *table // nil once removed
	index int
}

// Add guards a process: it is killed when the host program ends. pid must be a process that the host
// program may kill and, so that the number is nobody else's, has not waited for. The first Add starts the
// guardian. A child of a user namespace that the host program made may be killed whatever its user id is;
// user_namespaces(7), capabilities(7).
//
// Errors: ErrPid, ErrClosed, otherwise *Error.
func (g *Guardian) Add(pid int) (*Entry, error) {
	// 0, 1 and the negative ones mean other things than one process that can be killed; kill(2).
	if pid <= 1 || pid >= maxPid || pid == os.Getpid() {
		return nil, &Error{Pid: pid, Err: ErrPid}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	if err := g.ready(); err != nil {
		return nil, &Error{Pid: pid, Err: err}
	}
	i, err := g.table.set(pid)
	if err != nil {
		g.rest()
		return nil, &Error{Pid: pid, Err: err}
	}
	g.live++
	return &Entry{g, g.table, i}, nil
}

// Remove ends the guarding. It must be called before the process is waited for, because afterwards the
// number may be another's. It may be called more than once.
func (e *Entry) Remove() {
	g := e.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.table != nil && e.table == g.table { // else removed, or the Guardian was closed
		e.table.clear(e.index)
		g.live--
		g.rest()
	}
	e.table = nil
}

// Close ends the guarding of everything and returns when the guardian is gone. It may be called more than
// once.
func (g *Guardian) Close() {
	g.mu.Lock()
	g.closed = true
	g.stop()
	g.mu.Unlock()
	g.ending.Wait()
}

// Quit ends a guardian that has nothing to guard at once instead of in a while, and returns when it is gone. The
// next Add starts another.
func (g *Guardian) Quit() {
	g.mu.Lock()
	if g.live > 0 {
		g.mu.Unlock()
		return
	}
	g.stop()
	gone := g.gone
	g.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// ready sees to a table and a watched guardian. While something is guarded already, it does nothing.
func (g *Guardian) ready() error {
	if g.live > 0 && g.proc != nil {
		return nil
	}
	if g.idle != nil {
		g.idle.Stop()
	}
	if g.table == nil {
		t, err := newTable()
		if err != nil {
			return err
		}
		g.table = t
	}
	if g.proc != nil && g.proc.dead() {
		g.proc.end()
		g.proc = nil
	}
	if g.proc == nil {
		p, err := start(g.table.file, g.dir)
		if err != nil {
			g.rest()
			return err
		}
		g.proc = p
	}
	p := g.proc
	p.watch(func() { g.replace(p) })
	return nil
}

// replace puts another guardian in the place of one that something killed.
func (g *Guardian) replace(dead *process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proc != dead || g.live == 0 {
		return
	}
	g.proc = nil
	dead.end()
	g.again(replaceEvery - time.Since(dead.started))
}

// again starts a guardian for what is guarded already, after a while or at once, until it works.
func (g *Guardian) again(after time.Duration) {
	if after <= 0 && g.ready() == nil {
		return
	}
	table := g.table
	g.retry = time.AfterFunc(max(after, replaceEvery/10), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.table == table && g.live > 0 && g.proc == nil {
			g.again(0)
		}
	})
}

// rest stops the guardian in a while if nothing is guarded until then. No goroutine waits meanwhile.
func (g *Guardian) rest() {
	if g.live > 0 {
		return
	}
	if g.proc != nil {
		g.proc.unwatch()
	}
	table := g.table
	g.idle = time.AfterFunc(g.idleFor, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.table == table && g.live == 0 {
			g.stop()
		}
	})
}

// stop gives everything up. The guardian's end is awaited without the lock.
func (g *Guardian) stop() {
	table, proc := g.table, g.proc
	g.table, g.proc, g.live = nil, nil, 0
	for _, t := range []*time.Timer{g.idle, g.retry} {
		if t != nil {
			t.Stop()
		}
	}
	if table == nil {
		return
	}
	gone := make(chan struct{})
	g.gone = gone
	g.ending.Go(func() {
		defer close(gone)
		if proc != nil {
			proc.end()
		}
		table.close()
	})
}
