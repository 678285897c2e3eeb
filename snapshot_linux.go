package caisson

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/sys"
)

// snapshot keeps the writable layer of a container.
func (l *live) snapshot(ctx context.Context) (_ *Snapshot, err error) {
	ctx, unlock, err := l.layer.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r := l.request
	if l.inMemory() {
		return nil, &Error{"snapshot", r.spec.Image, errors.ErrUnsupported, "its writable layer is in memory; use Engine.RootFS or Engine.Pull"}
	}
	e := l.engine
	dir, err := e.snapshots()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	id := newID()
	lock, err := makeLocked(dir, "."+id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	defer func() {
		if err != nil && !slices.Contains(l.kept, id) { // else it is all there is of the layer
			err = withCleanup(err, e.removeTree(dir, lock, "."+id))
		}
	}()
	base, below := r.origin()
	b, err := json.Marshal(snapshotRecord{Base: base, Below: append(below, l.kept...), Created: time.Now().UTC(), Boot: sys.BootID()})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(lock.Name(), "record.json"), b, 0o600); err != nil {
		return nil, err
	}
	if l.ended() && !l.survived() {
		err = l.moveLayer(lock, id)
	} else {
		err = closedInstead(ctx, l.copyLayer(ctx, lock))
	}
	if err != nil {
		return nil, err
	}
	if err := sys.Renameat(int(dir.Fd()), "."+id, int(dir.Fd()), id); err != nil {
		return nil, errors.Join(err, l.putBack(lock, id))
	}
	return e.openSnapshot(id)
}

// origin is the image that a container's layers stand on, and the snapshots between, bottom to top.
func (r *request) origin() (base string, below []string) {
	if r.from.base != nil {
		return r.from.base.id, slices.Clone(r.from.below)
	}
	return r.from.id, nil
}

// moveLayer takes the writable layer of a container that has ended away, and leaves an empty one above it. The
// container keeps the snapshot for as long as it is not closed.
func (l *live) moveLayer(to *os.File, id string) error {
	hold, err := sys.Dup(to)
	if err != nil {
		return err
	}
	if err := sys.TryShare(hold); err != nil { // it is one open file with to: from now on both share
		return errors.Join(err, hold.Close())
	}
	from := int(l.request.lock.Fd())
	if err := sys.Renameat(from, "upper", int(to.Fd()), "fs"); err != nil {
		return errors.Join(&Error{"rename", l.request.root.Upper, err, ""}, hold.Close())
	}
	l.kept = append(l.kept, id)
	l.undo.push(hold.Close)
	if err := sys.Mkdirat(from, "upper", 0o755); err != nil {
		return errors.Join(err, l.putBack(to, id))
	}
	return nil
}

// putBack undoes moveLayer, if that was what made the snapshot.
func (l *live) putBack(from *os.File, id string) error {
	if !slices.Contains(l.kept, id) {
		return nil
	}
	to := int(l.request.lock.Fd())
	if err := sys.Rmdirat(to, "upper"); err != nil && err != syscall.ENOENT {
		return err
	}
	err := sys.Renameat(int(from.Fd()), "fs", to, "upper")
	if err == nil {
		l.kept = l.kept[:len(l.kept)-1]
	}
	return err
}

// restart kills the program, closes what it had, and starts it again from a snapshot. Nothing has been done if the
// snapshot is none of the engine's.
func (l *live) restart(ctx context.Context, s *Snapshot) (*live, error) {
	b := *l.blueprint
	if b.detach {
		return l, &Error{"restore", "detached container", errors.ErrUnsupported, "start a container from the snapshot"}
	}
	if s.engine != b.engine {
		return l, errOtherEngine
	}
	if err := ctx.Err(); err != nil { // nothing is killed for a start that would not happen
		return l, err
	}
	var held undo // so that nobody removes the snapshot between the end and the start
	defer func() { _ = held.run() }()
	if err := b.engine.pin(s.image, &held); err != nil {
		return l, err
	}
	spec := *b.spec
	spec.Image = s.image.id
	b.spec, b.image = &spec, s.image
	if err := l.close(); err != nil {
		return nil, err
	}
	return b.start(ctx)
}

// copyLayer copies the writable layer of a container that runs, while it stands still.
func (l *live) copyLayer(ctx context.Context, to *os.File) error {
	resume, err := l.standstill(ctx)
	if err != nil {
		return err
	}
	defer resume()
	if err := sys.Mkdirat(int(to.Fd()), "fs", 0o755); err != nil {
		return err
	}
	dst, err := openDir(int(to.Fd()), "fs", filepath.Join(to.Name(), "fs"))
	if err != nil {
		return err
	}
	defer func() { _ = dst.Close() }()
	return l.openTree(func(t *changes.Tree) error {
		_, err := changes.Clone(ctx, *t, dst)
		if errors.Is(err, fs.ErrPermission) {
			err = &Error{"copy", "writable layer", err, "files of subordinate ids cannot be copied; stop the container first"}
		}
		return err
	}, func() {})
}
