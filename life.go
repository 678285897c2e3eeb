package caisson

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// life is what a container's program and a further one have in common: one start, a run, an end. Its lock
// is held for moments and never while something is waited for. So every question is answered at once, while
// Start and Close are at work too.
type life struct {
	mu       sync.Mutex
	begun    chan struct{}      // made when Start is called, closed when that is over
	giveUp   context.CancelFunc // ends the start that is at work
	live     *live              // once the program runs, and ever after
	pipes    pipes
	closing  chan struct{} // made when Close is called, closed when that is over
	closeErr error
}

// start lets one Start happen.
func (f *life) start(ctx context.Context, start func(context.Context) (*live, error)) error {
	starting, err := f.begin(ctx)
	if err != nil {
		return err
	}
	l, err := start(starting)
	if err != nil {
		f.pipes.close()
	}
	if closing := f.settle(l); closing && errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return fmt.Errorf("%w (%v)", ErrClosed, err) // and not the caller's context
	}
	return err
}

// begin is the beginning of the only Start. The context that it returns ends with Close too.
func (f *life) begin(ctx context.Context) (context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fresh(); err != nil {
		return nil, err
	}
	f.begun = make(chan struct{})
	ctx, f.giveUp = context.WithCancel(ctx)
	return ctx, nil
}

// fresh tells why it is too late for what comes before Start.
func (f *life) fresh() error {
	switch {
	case f.closing != nil:
		return ErrClosed
	case f.begun != nil:
		return ErrStarted
	}
	return nil
}

// program is the program, running or not, or nil if there was none.
func (f *life) program() *live {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live
}

// running is the program, which may have ended, as long as it is not closed.
func (f *life) running() (*live, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closing != nil:
		return nil, ErrClosed
	case f.live == nil:
		return nil, ErrNotStarted
	}
	return f.live, nil
}

// alive is the program if it has not ended.
func (f *life) alive() (*live, error) {
	l, err := f.running()
	if err == nil && l.ended() {
		return nil, os.ErrProcessDone
	}
	return l, err
}

func (f *life) state() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case over(f.closing), f.live == nil && over(f.begun):
		return StateClosed
	case f.live == nil:
		return StateNew
	case f.live.ended():
		return StateExited
	}
	return StateRunning
}

// over tells whether a channel has been closed.
func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false // it is nil, or open
	}
}

// close ends it all, once, and returns when it has ended.
func (f *life) close() error {
	f.mu.Lock()
	first := f.closing == nil
	if first {
		f.closing = make(chan struct{})
	}
	begun, giveUp := f.begun, f.giveUp
	f.mu.Unlock()
	if !first {
		<-f.closing
		return f.closeErr
	}
	defer close(f.closing)
	if giveUp != nil {
		giveUp()
	}
	if begun != nil {
		<-begun
	}
	if l := f.program(); l != nil {
		f.closeErr = l.close()
	}
	f.pipes.close()
	return f.closeErr
}
