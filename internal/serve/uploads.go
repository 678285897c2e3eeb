package serve

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/caisson-go/caisson/internal/store"
)

// uploads are the blobs that are coming in.
type uploads struct {
	limit int
	idle  time.Duration

	mu     sync.Mutex
	open   map[string]*upload
	coming int // that are about to be in open
	closed bool
	busy   sync.WaitGroup // requests that have one in use
}

// upload is one of them. Whoever has locked it uses it.
type upload struct {
	id, repo string

	using   sync.Mutex
	u       *store.Upload
	used    time.Time
	timer   *time.Timer
	gone    bool   // with using held: it is over
	unblock func() // with uploads.mu held: ends the request that has it in use; nil if none has
}

func errClosing() *answer {
	return refuse(http.StatusServiceUnavailable, internal, "the registry is being shut down")
}

// begin makes an upload, in use by the caller.
func (us *uploads) begin(ctx context.Context, s *store.Store, repo string, unblock func()) (*upload, error) {
	if a := us.reserve(); a != nil {
		return nil, a
	}
	u, err := s.NewUpload(ctx)
	us.mu.Lock()
	defer us.mu.Unlock()
	us.coming--
	if err != nil {
		us.busy.Done()
		return nil, err
	}
	up := &upload{id: rand.Text(), repo: repo, u: u, unblock: unblock}
	up.using.Lock()
	us.open[up.id] = up
	if us.closed {
		unblock()
	}
	return up, nil
}

func (us *uploads) reserve() *answer {
	us.mu.Lock()
	defer us.mu.Unlock()
	switch {
	case us.closed:
		return errClosing()
	case len(us.open)+us.coming >= us.limit:
		return refuse(http.StatusTooManyRequests, tooManyRequests, "%d uploads are in progress; try again later", us.limit)
	}
	us.coming++
	us.busy.Add(1)
	return nil
}

// take takes an upload into use.
func (us *uploads) take(id, repo string, unblock func()) (*upload, *answer) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if us.closed {
		return nil, errClosing()
	}
	up := us.open[id]
	if up == nil || up.repo != repo {
		return nil, refuse(http.StatusNotFound, uploadUnknown, "no such upload in %s", repo)
	}
	if !up.using.TryLock() {
		return nil, refuse(http.StatusConflict, uploadInvalid, "another request is using the upload")
	}
	if up.gone {
		up.using.Unlock()
		return nil, refuse(http.StatusNotFound, uploadUnknown, "no such upload in %s", repo)
	}
	up.unblock = unblock
	us.busy.Add(1)
	return up, nil
}

// give ends the use of an upload. One that is over, or that nobody can continue, is removed.
func (us *uploads) give(up *upload, over bool) {
	us.mu.Lock()
	up.unblock = nil
	over = over || us.closed
	us.mu.Unlock()
	if over {
		us.remove(up)
	} else {
		up.used = time.Now()
		if up.timer == nil {
			up.timer = time.AfterFunc(us.idle, func() { us.expire(up) })
		} else {
			up.timer.Reset(us.idle)
		}
	}
	up.using.Unlock()
	us.busy.Done()
}

// remove drops an upload, which the caller has locked.
func (us *uploads) remove(up *upload) {
	up.gone = true
	up.u.Discard()
	if up.timer != nil {
		up.timer.Stop()
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	delete(us.open, up.id)
}

// expire drops an upload that nobody has used for a while.
func (us *uploads) expire(up *upload) {
	if !up.using.TryLock() {
		return // whoever uses it sets the timer again
	}
	defer up.using.Unlock()
	if !up.gone && time.Since(up.used) >= us.idle {
		us.remove(up)
	}
}

// close drops all uploads, and waits for the requests that have one in use.
func (us *uploads) close() {
	us.mu.Lock()
	us.closed = true
	var idle []*upload
	for _, up := range us.open {
		switch {
		case up.unblock != nil:
			up.unblock()
		default:
			idle = append(idle, up)
		}
	}
	us.mu.Unlock()
	for _, up := range idle {
		up.using.Lock()
		if !up.gone {
			us.remove(up)
		}
		up.using.Unlock()
	}
	us.busy.Wait()
}
