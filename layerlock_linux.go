package caisson

import (
	"context"
	"time"
)

// layerLock is held while a container's writable layer is read, copied or taken away: by one at a time, so that whoever
// stops the container's processes for it is also who lets them go on.
type layerLock struct {
	held chan struct{} // holds a value while it is
	gone context.Context
	end  context.CancelFunc // the container is being closed
}

func newLayerLock() layerLock {
	l := layerLock{held: make(chan struct{}, 1)}
	l.gone, l.end = context.WithCancel(context.Background())
	return l
}

// lock waits for the layer until ctx is done or the container is closed. The context that it returns ends with the container
// too; unlock ends it.
func (l *layerLock) lock(ctx context.Context) (_ context.Context, unlock func(), err error) {
	if err := ctx.Err(); err != nil { // which of several cases is taken, select leaves to chance
		return nil, nil, err
	}
	select {
	case l.held <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-l.gone.Done():
		return nil, nil, ErrClosed
	}
	if l.gone.Err() != nil {
		<-l.held
		return nil, nil, ErrClosed
	}
	reading, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.gone, func() { cancel(ErrClosed) })
	return reading, func() {
		stop()
		cancel(nil)
		<-l.held
	}, nil
}

// close ends whoever has the layer, and waits for that: a second for one that is in a Write of the caller's.
func (l *layerLock) close() {
	l.end()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case l.held <- struct{}{}:
	case <-timer.C:
	}
}
