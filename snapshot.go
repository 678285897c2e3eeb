package caisson

import (
	"context"
	"errors"
	"iter"
)

// Snapshot is what a container had written at one moment, kept as a layer that nothing changes any more. Any number of
// containers start from it, each with a writable layer of its own above: no byte is copied. It belongs to the
// engine's state directory and stays there when the container is closed and the program has ended, until Remove
// or until the machine restarts; Container.Commit makes an image, which stays longer.
//
// A Snapshot is a handle. Its methods may be called from several goroutines.
// Source: Documentation/filesystems/overlayfs.rst, "Multiple lower layers".
type Snapshot struct {
	engine *Engine
	id     string
	image  *Image
}

// snapshotImage is the form of the ID of an image that is a snapshot.
const snapshotImage = "snapshot:"

var errOtherEngine = errors.New("a snapshot of another engine")

// ID names the snapshot for Engine.Snapshot: 64 hexadecimal digits.
func (s *Snapshot) ID() string { return s.id }

// Image is the snapshot as an image: the layers and settings of the image that its container was of, and the
// container's files above. Its ID is "snapshot:" and the snapshot's.
func (s *Snapshot) Image() *Image { return s.image }

// Command is a container of the snapshot, as Image.Command.
func (s *Snapshot) Command(arg ...string) *Container {
	if s.image == nil {
		return (&Image{}).Command(arg...) // Start says what is missing
	}
	return s.image.Command(arg...)
}

// String is the ID, shortened.
func (s *Snapshot) String() string { return snapshotImage + s.id[:min(12, len(s.id))] }

// Remove deletes the snapshot. A container that was started from it, and another snapshot above it, keep it.
//
// Errors: *Error; fs.ErrNotExist if it is gone; ErrInUse while it is; ctx.Err.
func (s *Snapshot) Remove(ctx context.Context) error {
	if s == nil || s.engine == nil {
		return &Error{"remove", "snapshot", errNoSnap, "Container.Snapshot makes one, Engine.Snapshot finds one"}
	}
	if err := checkDone(ctx, "remove", s.String()); err != nil {
		return err
	}
	return named("remove", s.String, s.engine.removeSnapshot(s.id))
}

// Snapshot keeps what the container has written since its start, for Restore and for starting other containers from.
//
// Of a container that has ended the writable layer itself becomes the snapshot: that takes about a millisecond,
// whatever its size. Of one that runs the layer is copied while its processes stand still, with the cgroup's freezer
// if the container has Limits, else by SIGSTOP: at once on filesystems that share blocks (FICLONE: XFS, btrfs), else
// at the speed of the disk. What the program has not written yet, it has not: a database is better stopped first.
//
// Errors: *Error; errors.ErrUnsupported for Engine.Host, whose writable layer is in memory and ends with the
// container; ErrNotStarted; ErrClosed; ctx.Err.
// Source: Documentation/filesystems/overlayfs.rst; ioctl_ficlone(2); cgroups(7).
func (c *Container) Snapshot(ctx context.Context) (*Snapshot, error) {
	l, err := c.life.running()
	if err != nil {
		return nil, c.failed("snapshot", err)
	}
	s, err := l.snapshot(ctx)
	return s, c.failed("snapshot", err)
}

// Restore starts the container again, from a snapshot: its own or that of another container of the same engine. What
// runs is killed first, and what the container has written since is gone. The Container stays the same value, with
// its ID, its settings and its streams; Pid and Cgroup are new. A Wait for what ran returns, as after a kill. It
// is for containers that Start started: Run closes its container when what it started has ended.
//
// Errors: *Error; errors.ErrUnsupported if the container was given a pipe by StdinPipe and its siblings, which ended with the
// program, or is detached; fs.ErrNotExist if the snapshot is gone; ErrNotStarted; ErrClosed; ctx.Err. If the program was killed and
// cannot be started, the container is closed.
func (c *Container) Restore(ctx context.Context, s *Snapshot) error {
	return c.failed("restore", c.life.restore(ctx, s))
}

// Snapshot is a snapshot of the engine by its ID.
//
// Errors: *Error; fs.ErrNotExist if there is none, which is so for every snapshot made before the machine started; ctx.Err.
func (e *Engine) Snapshot(ctx context.Context, id string) (*Snapshot, error) {
	if err := checkDone(ctx, "snapshot", id); err != nil {
		return nil, err
	}
	return e.openSnapshot(id)
}

// Snapshots lists the snapshots of the engine, in no order. One that cannot be read is yielded as an error.
//
// Errors: *Error; ctx.Err.
func (e *Engine) Snapshots(ctx context.Context) iter.Seq2[*Snapshot, error] {
	return func(yield func(*Snapshot, error) bool) {
		err := checkDone(ctx, "list", "snapshots")
		var ids []string
		if err == nil {
			ids, err = e.snapshotIDs()
		}
		if err != nil {
			yield(nil, named("list", func() string { return "snapshots" }, err))
			return
		}
		for _, id := range ids {
			if err := checkDone(ctx, "list", "snapshots"); err != nil {
				yield(nil, err)
				return
			}
			if s, err := e.openSnapshot(id); !yield(s, err) {
				return
			}
		}
	}
}
