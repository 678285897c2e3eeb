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
func lock(ctx context.Context, root disk, name string) (release func(), err error) {
	f, err := root.OpenFile("locks/"+name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return hold(ctx, f, sys.TryLock)
}

// lockShared waits for the lock "gc" beside others who may hold it so too. It is held for as long as a name is given
// or an object is announced, and by nobody while it waits for the network or writes a layer.
func lockShared(ctx context.Context, root disk) (release func(), err error) {
	return lockGC(ctx, root, sys.TryShare)
}

// lockAlone waits until nobody else holds the lock "gc".
func lockAlone(ctx context.Context, root disk) (release func(), err error) {
	return lockGC(ctx, root, sys.TryLock)
}

// lockGC goes through a gate that one at a time passes, so that those who share the lock can not keep out for ever
// the one who wants it alone.
func lockGC(ctx context.Context, root disk, try func(*os.File) error) (release func(), err error) {
	gate, err := lock(ctx, root, "gate")
	if err != nil {
		return nil, err
	}
	defer gate()
	f, err := root.OpenFile("locks/gc", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return hold(ctx, f, try)
}

// hold takes a lock on an open file, which it closes.
func hold(ctx context.Context, f *os.File, try func(*os.File) error) (release func(), err error) {
	if err := wait(ctx, f, try); err != nil {
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
func wait(ctx context.Context, f *os.File, try func(*os.File) error) error {
	for pause := firstTry; ; pause = min(2*pause, lastTry) {
		err := ctx.Err()
		if err != nil {
			return err
		}
		if err = try(f); err == nil || !sys.Held(err) {
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
