package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// stage is a directory in staging. Its file "lock" is locked as long as its maker lives, which is how others tell work
// in progress from what a crash left.
type stage struct {
	root disk
	path string
	lock *os.File
}

// newStage makes a stage. Making one and clearing old ones exclude each other, or a new stage could be taken
// for an old one before its lock is held.
func newStage(ctx context.Context, root disk) (*stage, error) {
	release, err := lock(ctx, root, "staging")
	if err != nil {
		return nil, err
	}
	defer release()
	st := &stage{root: root, path: "staging/" + rand.Text()}
	if err := root.Mkdir(st.path, 0o700); err != nil {
		return nil, err
	}
	if st.lock, err = root.OpenFile(st.path+"/lock", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		err = sys.TryLock(st.lock)
	}
	if err != nil {
		st.discard()
		return nil, err
	}
	return st, nil
}

// discard removes the stage with what is still in it. What can not be removed now is, by a later sweep.
func (st *stage) discard() {
	_ = st.root.RemoveTree(st.path)
	if st.lock != nil {
		_ = sys.Unlock(st.lock)
		st.lock.Close()
		_ = st.root.RemoveTree(st.path) // where open files can not be removed, the first time was in vain
	}
}

// sweep removes the stages whose makers are gone.
func sweep(ctx context.Context, root disk) error {
	return eachName(root, "staging", func(name string) error { return sweepOne(ctx, root, name) })
}

// sweepOne removes one stage if nobody holds its lock. Only the test needs the staging lock: the stage's own keeps
// others away during the removal.
func sweepOne(ctx context.Context, root disk, name string) error {
	if strings.HasPrefix(name, ".rm-") { // collected, or part of a layer moved here while it was removed: nothing in it may be opened
		return root.RemoveTree("staging/" + name)
	}
	release, err := lock(ctx, root, "staging")
	if err != nil {
		return err
	}
	f, err := root.OpenFile("staging/"+name+"/lock", os.O_RDWR, 0)
	// Without a lock its maker died before it made one, or while it removed the stage.
	dead := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if err == nil {
		defer f.Close()
		if dead = sys.TryLock(f) == nil; dead {
			defer sys.Unlock(f)
		}
	}
	release()
	if !dead {
		return nil
	}
	return root.RemoveTree("staging/" + name)
}

// replaceFile puts a small file in place at once, for good.
func replaceFile(ctx context.Context, root disk, name string, content []byte) error {
	st, err := newStage(ctx, root)
	if err != nil {
		return err
	}
	defer st.discard()
	staged := st.path + "/file"
	if err := writeSynced(root, staged, content); err != nil {
		return err
	}
	if err := root.Rename(staged, name); err != nil {
		return err
	}
	return root.SyncDir(path.Dir(name))
}

// writeFile writes a new file.
func writeFile(root disk, name string, content []byte) error {
	return writeThen(root, name, content, func(output) error { return nil })
}

// writeSynced writes a new file and waits until it is on the disk.
func writeSynced(root disk, name string, content []byte) error {
	return writeThen(root, name, content, output.Sync)
}

func writeThen(root disk, name string, content []byte, then func(output) error) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = then(f)
	}
	return errors.Join(err, f.Close())
}
