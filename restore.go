package caisson

import (
	"context"
	"errors"
	"fmt"
)

var (
	errPipes   = errors.New("it was given a pipe, which ends with the program")
	errNoSnap  = errors.New("no snapshot")
	errRestart = errors.New("another Restore or Close is at work")
)

// restore replaces the program by one that starts from a snapshot.
func (f *life) restore(ctx context.Context, s *Snapshot) error {
	if s == nil {
		return errNoSnap
	}
	old, starting, err := f.again(ctx)
	if err != nil {
		return err
	}
	next, err := old.restart(starting, s)
	f.settle(next)
	return err
}

// again is the beginning of a further start. The context that it returns ends with Close too.
func (f *life) again(ctx context.Context) (*live, context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closing != nil:
		return nil, nil, ErrClosed
	case f.live == nil:
		return nil, nil, ErrNotStarted
	case !over(f.begun):
		return nil, nil, errRestart
	case len(f.pipes.theirs) > 0:
		return nil, nil, fmt.Errorf("%w: %w", errPipes, errors.ErrUnsupported)
	}
	f.begun = make(chan struct{})
	ctx, f.giveUp = context.WithCancel(ctx)
	return f.live, ctx, nil
}

// settle is the end of a start: from here on what has been started is signalled, dialled, executed in.
func (f *life) settle(l *live) (closing bool) {
	f.mu.Lock()
	f.live = l
	closing = f.closing != nil
	giveUp := f.giveUp
	f.giveUp = nil
	f.mu.Unlock()
	giveUp()
	close(f.begun)
	return closing
}
