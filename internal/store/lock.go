package store

import (
	"context"
	"os"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

const (
	firstTry = time.Millisecond
	lastTry  = 50 * time.Millisecond
)

// lock waits for the named lock until ctx ends, and returns what gives it back. The file stays: removing a locked file
// would let two processes hold the lock at once.
func lock(ctx context.Context, root *os.Root, name string) (release func(), err error) {
	f, err := root.OpenFile("locks/"+name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		_ = sys.Unlock(f) // can not fail for a lock that is held; closing gives it back as well
		f.Close()
	}, nil
}

// wait tries until it has the lock. A blocking flock(2) could not be given up when ctx ends: nothing but a signal
// interrupts it.
func wait(ctx context.Context, f *os.File) error {
	for pause := firstTry; ; pause = min(2*pause, lastTry) {
		err := ctx.Err()
		if err != nil {
			return err
		}
		if err = sys.TryLock(f); err == nil || !sys.Held(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
