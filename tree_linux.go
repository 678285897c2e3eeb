package caisson

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/proxy"
)

// withTree hands over the container's root filesystem as directories of the host, which nobody takes away meanwhile. Its
// processes stand still, unless it is live.
func (l *live) withTree(ctx context.Context, live bool, use func(context.Context, *changes.Tree) error) error {
	ctx, unlock, err := l.layer.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if !live {
		resume, err := l.standstill(ctx)
		if err != nil {
			return err
		}
		defer resume()
	}
	return l.openTree(func(t *changes.Tree) error { return use(ctx, t) }, func() {})
}

// openTree hands over the directories. Once they are open, opened is called.
func (l *live) openTree(use func(*changes.Tree) error, opened func()) error {
	var open undo
	t, err := l.tree(&open)
	opened()
	if err == nil {
		err = use(t)
	}
	return errors.Join(changesError(err), open.run())
}

// inMemory tells of a container whose writable layer is no directory on the disk.
func (l *live) inMemory() bool { return l.request.root.Kind != plan.Layers || l.request.lock == nil }

// tree opens the directories.
func (l *live) tree(open *undo) (*changes.Tree, error) {
	if l.inMemory() {
		return nil, &Error{"open", "writable layer", errors.ErrUnsupported, "it is in memory; use Engine.RootFS or Engine.Pull"}
	}
	r := l.request
	user, err := r.userNamespace()
	if err != nil {
		return nil, err
	}
	t := &changes.Tree{UserXattr: user.Mode != plan.UserHost, Made: r.madeForMounts()}
	lower := append([]string{r.root.MountPoints}, r.root.Lower...)
	for _, id := range l.kept {
		lower = append(lower, filepath.Join(l.snapshotsDir(), id, "fs"))
	}
	for _, dir := range lower {
		f, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		open.push(f.Close)
		t.Lower = append(t.Lower, f)
	}
	if t.Upper, err = os.Open(r.root.Upper); err != nil {
		return nil, err
	}
	open.push(t.Upper.Close)
	return t, l.readable(t, &user, open)
}

// snapshotsDir is the directory of the engine's snapshots.
func (l *live) snapshotsDir() string {
	return filepath.Join(filepath.Dir(filepath.Dir(l.request.dir)), "snapshots")
}

// madeForMounts are the paths that a start makes in the writable layer, if the image lacks them, for mounts to stand on,
// with the directories that they are in.
func (r *request) madeForMounts() []string {
	made := []string{"/dev", "/proc", "/sys"}
	for _, name := range generatedFiles() {
		made = append(made, "/etc/"+name)
	}
	for _, m := range r.spec.Mounts {
		made = append(made, m.Target)
	}
	seen := map[string]bool{"/": true}
	var all []string
	for _, p := range made {
		for p = path.Clean("/" + p); !seen[p]; p = path.Dir(p) {
			seen[p] = true
			all = append(all, p)
		}
	}
	return all
}

// readable says by whose rights the files are read, and who their owners are in the container.
func (l *live) readable(t *changes.Tree, user *plan.UserNamespace, open *undo) error {
	if user.Mode == plan.UserHost {
		return nil
	}
	f := &changes.Fallback{Start: func() (*proxy.Proxy, error) { return l.request.userProxy("caisson-read") }}
	open.push(func() error { f.Close(); return nil })
	t.Opener, t.Owner = f, l.request.support.inside(user)
	return nil
}

func (l *live) diff(ctx context.Context, yield func(Change) bool) error {
	kinds := map[changes.Kind]ChangeKind{changes.Added: ChangeAdded, changes.Modified: ChangeModified, changes.Deleted: ChangeDeleted}
	_, unlock, err := l.layer.lock(ctx)
	if err != nil {
		return err
	}
	return l.openTree(func(t *changes.Tree) error {
		for c, err := range changes.List(ctx, *t) {
			if err != nil {
				return err
			}
			if !yield(Change{c.Path, kinds[c.Kind]}) {
				return nil
			}
		}
		return nil
	}, unlock) // Close does not wait for who looks at the list
}

func (l *live) export(ctx context.Context, w io.Writer) error {
	return l.withTree(ctx, false, func(ctx context.Context, t *changes.Tree) error {
		_, err := changes.Export(ctx, w, *t)
		return closedInstead(ctx, err)
	})
}

// closedInstead is the error of reading a layer that was ended because its container is closed.
func closedInstead(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return err
}

// changesError is the public form of an error about a file of a container.
func changesError(err error) error {
	var c *changes.Error
	if errors.As(err, &c) {
		return &Error{c.Op, c.Path, c.Err, c.Hint}
	}
	return err
}
