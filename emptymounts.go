package caisson

import (
	"os"
	"sync"
	"time"
)

// emptyMounts holds a mount namespace with nothing in it, in which containers begin, while there are containers and
// a little longer. Making it costs a start ten times what it saves each, so the first container does without.
type emptyMounts struct {
	mu     sync.Mutex
	starts int // since there were no containers for a while
	live   int // containers that have not been closed
	ns     *os.File
	idle   *time.Timer
}

// theEmptyMounts is for the whole program, because one empty namespace is like another.
var theEmptyMounts = sync.OnceValue(func() *emptyMounts { return &emptyMounts{} })

// emptyIdle is how long the namespace is kept without containers, as the guardian is.
const emptyIdle = 2 * time.Second

// take is the namespace for one more container, or nil if that does without. What cannot be made is tried again by the
// first containers after the next rest only.
func (m *emptyMounts) take(build func() (*os.File, error)) (*os.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.idle != nil {
		m.idle.Stop()
	}
	m.starts++
	m.live++
	var err error
	if m.starts == 2 {
		m.ns, err = build()
	}
	return m.ns, err
}

// giveBack is called once for each take, when the container is gone.
func (m *emptyMounts) giveBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live--; m.live == 0 {
		m.idle = time.AfterFunc(emptyIdle, m.drop)
	}
}

// drop closes the namespace if no container needs it.
func (m *emptyMounts) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live > 0 {
		return
	}
	m.starts = 0
	if m.ns != nil {
		_ = m.ns.Close()
		m.ns = nil
	}
}
