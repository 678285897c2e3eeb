package registry

import (
	"sync"
	"time"
)

const (
	// A mirror that failed is left out for leaveOut, and each further time in a row for twice as long, up to maxLeaveOut.
	leaveOut    = 15 * time.Second
	maxLeaveOut = 10 * time.Minute
)

// Breaker remembers which mirrors failed, so that not every pull waits for them. A mirror that failed is left out for
// 15 seconds, then one caller tries it while the others still leave it out, and if it fails again it is left out for
// twice as long as before, at most 10 minutes. A mirror that merely lacks an image has not failed.
//
// The zero value is ready for use, by several goroutines and pulls at once.
type Breaker struct {
	mu    sync.Mutex
	hosts map[string]*outage
}

// outage is a mirror that failed.
type outage struct {
	until time.Time     // left out until then
	next  time.Duration // how long when it fails again
}

// allow reports whether a host may be asked. The answer is yes only once after each time of being left out, until the
// caller reports how it went.
func (b *Breaker) allow(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.hosts[host]
	if o == nil {
		return true
	}
	now := time.Now()
	if now.Before(o.until) {
		return false
	}
	o.until = now.Add(leaveOut) // the caller tries; if it never says how it went, somebody else does after this
	return true
}

// succeeded forgets that a host failed.
func (b *Breaker) succeeded(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hosts, host)
}

// failed leaves a host out. What fails while it is left out had begun before, and tells nothing new.
func (b *Breaker) failed(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.hosts[host]
	if o == nil {
		o = &outage{next: leaveOut}
		if b.hosts == nil {
			b.hosts = map[string]*outage{}
		}
		b.hosts[host] = o
	}
	o.until = time.Now().Add(o.next)
	o.next = min(2*o.next, maxLeaveOut)
}
