package serve

import (
	"context"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxGrants bounds what a lease remembers of blobs, at about 200 bytes each.
const maxGrants = 100_000

// lease keeps the blobs of pushes in progress from being collected: a push is many requests, and only the last one gives
// a name. It begins with the first request of a push and ends some time after the last.
type lease struct {
	begin func(context.Context) (func(), error)
	idle  time.Duration

	mu     sync.Mutex
	users  int
	end    func() // nil: there is none
	over   time.Time
	timer  *time.Timer
	closed bool

	// granted has the blobs that a repository has got and no manifest names yet.
	grants map[string]map[v1.Hash]bool
	count  int
}

// enter begins a request of a push, and leave ends it.
func (l *lease) enter(ctx context.Context) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosing()
	}
	if l.end == nil {
		if l.end, err = l.begin(ctx); err != nil {
			return nil, err
		}
		l.grants = map[string]map[v1.Hash]bool{}
	}
	l.users++
	return l.leave, nil
}

func (l *lease) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users > 0 {
		return
	}
	if l.closed {
		l.drop()
		return
	}
	l.over = time.Now().Add(l.idle)
	if l.timer == nil {
		l.timer = time.AfterFunc(l.idle, l.expire)
	} else {
		l.timer.Reset(l.idle)
	}
}

func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 && !time.Now().Before(l.over) {
		l.drop()
	}
}

// close ends the lease, now or with the last request that has entered.
func (l *lease) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.users == 0 {
		l.drop()
	}
}

func (l *lease) drop() {
	if l.end != nil {
		l.end()
	}
	l.end, l.grants, l.count = nil, nil, 0
}

// grant remembers that a repository has got a blob.
func (l *lease) grant(repo string, h v1.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grants == nil || l.grants[repo][h] || l.count >= maxGrants {
		return
	}
	if l.grants[repo] == nil {
		l.grants[repo] = map[v1.Hash]bool{}
	}
	l.grants[repo][h] = true
	l.count++
}

func (l *lease) granted(repo string, h v1.Hash) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grants[repo][h]
}
