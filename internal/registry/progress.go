package registry

import (
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Phase is what happens to a layer or another part of an image.
type Phase string

// The phases. Of a pull: waiting, then exists or downloading, unpacking, done. Of a push: waiting, then exists, mounted
// or pushing and done.
const (
	Waiting     Phase = "waiting"
	Downloading Phase = "downloading" // and unpacking, which goes on at the same time
	Unpacking   Phase = "unpacking"   // all of it is here; or it was here, but not unpacked
	Exists      Phase = "exists"      // nothing to do
	Pushing     Phase = "pushing"
	Mounted     Phase = "mounted" // the registry has taken it from another of its repositories
	Done        Phase = "done"
)

// Progress is how far a part of an image is. A part that is tried again from the beginning may fall back.
type Progress struct {
	Ref    string  // of the image, in full
	Digest v1.Hash // of the part, as it is packed
	Phase  Phase
	Bytes  int64 // of the part that were downloaded or pushed; those that were there already do not count
	Total  int64 // bytes
}

// every is how often the bytes of one part are reported at most.
const every = 100 * time.Millisecond

// reporter calls a function with values of progress, on one goroutine of its own, so that a slow function holds up
// nobody: byte counts that it has no time for are replaced by later ones. It gets every phase.
type reporter struct {
	ref  string
	call func(Progress)

	mu     sync.Mutex
	parts  map[v1.Hash]*part
	queue  []*entry
	closed bool
	wake   chan struct{} // holds at most one value
	done   chan struct{}
}

// part is the state of one part.
type part struct {
	now    Progress
	last   time.Time // when bytes were last queued
	queued *entry    // the last in the queue of this part, if it is of bytes alone
}

// entry is a value on its way to the function.
type entry struct {
	p    Progress
	part *part
}

// newReporter starts to report. stop waits until the function has had all. Without a function there is no reporter,
// which is nil and does nothing.
func newReporter(ref string, call func(Progress)) (r *reporter, stop func()) {
	if call == nil {
		return nil, func() {}
	}
	r = &reporter{ref: ref, call: call, parts: map[v1.Hash]*part{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go r.run()
	return r, func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.nudge()
		<-r.done
	}
}

// run hands over the values in their order.
func (r *reporter) run() {
	defer close(r.done)
	for range r.wake {
		for {
			r.mu.Lock()
			if len(r.queue) == 0 {
				closed := r.closed
				r.mu.Unlock()
				if closed {
					return
				}
				break
			}
			e := r.queue[0]
			r.queue = r.queue[1:]
			if e.part.queued == e {
				e.part.queued = nil
			}
			r.mu.Unlock()
			r.call(e.p)
		}
	}
}

func (r *reporter) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// phase reports that a part has come to a phase.
func (r *reporter) phase(d v1.Descriptor, ph Phase) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[d.Digest]
	if p == nil {
		p = &part{now: Progress{Ref: r.ref, Digest: d.Digest, Total: d.Size}}
		r.parts[d.Digest] = p
	}
	if p.now.Phase == ph {
		return
	}
	if ph == Downloading || ph == Pushing {
		p.now.Bytes = 0
	}
	p.now.Phase = ph
	r.put(p)
	p.queued = nil // a phase is not replaced
}

// add reports that some bytes more have come or gone.
func (r *reporter) add(h v1.Hash, n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[h]
	if p == nil {
		return
	}
	p.now.Bytes = min(p.now.Bytes+int64(n), p.now.Total) // more than that is not of the part
	if time.Since(p.last) >= every {
		r.put(p)
	}
}

// from reports that a part goes on at an offset.
func (r *reporter) from(h v1.Hash, offset int64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[h]; p != nil {
		p.now.Bytes = offset
	}
}

// put queues the state of a part, in the place of bytes of the same phase that are still in the queue.
func (r *reporter) put(p *part) {
	p.last = time.Now()
	if p.queued != nil && p.queued.p.Phase == p.now.Phase {
		p.queued.p = p.now
		return
	}
	p.queued = &entry{p.now, p}
	r.queue = append(r.queue, p.queued)
	r.nudge()
}
