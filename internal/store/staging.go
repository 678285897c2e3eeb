package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/sys"
)

// stage is a directory in staging. Its file "lock" is locked as long as its maker lives, which is how others tell work
// in progress from what a crash left.
type stage struct {
	root *os.Root
	path string
	lock *os.File
}

// newStage makes a stage. Making one and clearing old ones exclude each other, or a new stage could be taken
// for an old one before its lock is held.
func newStage(ctx context.Context, root *os.Root) (*stage, error) {
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
	_ = removeAll(st.root, st.path)
	if st.lock != nil {
		_ = sys.Unlock(st.lock)
		st.lock.Close()
		_ = removeAll(st.root, st.path) // where open files can not be removed, the first time was in vain
	}
}

// sweep removes the stages whose makers are gone.
func sweep(ctx context.Context, root *os.Root) error {
	dir, err := root.Open("staging")
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(64)
		for _, name := range names {
			if err := sweepOne(ctx, root, name); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sweepOne removes one stage if nobody holds its lock. Only the test needs the staging lock: the stage's own keeps
// others away during the removal.
func sweepOne(ctx context.Context, root *os.Root, name string) error {
	if strings.HasPrefix(name, ".rm-") { // part of a layer, moved here by layer.RemoveAll: nothing in it may be opened
		return removeAll(root, "staging/"+name)
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
	return removeAll(root, "staging/"+name)
}

// removeAll removes a tree that may hold directories without permissions, and be deeper than the limit on open files.
func removeAll(root *os.Root, path string) error {
	if !layer.Supported {
		return root.RemoveAll(path)
	}
	dir, err := root.Open("staging")
	if err != nil {
		return err
	}
	defer dir.Close()
	err = layer.RemoveAll(dir, path[len("staging/"):])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replaceFile puts a small file in place at once, for good.
func replaceFile(ctx context.Context, root *os.Root, name string, content []byte) error {
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
	return syncDir(root, ".")
}

// writeSynced writes a new file and waits until it is on the disk.
func writeSynced(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a directory durable: fsync(2) of a file does not.
func syncDir(root *os.Root, name string) error {
	if !syncsDirectories {
		return nil
	}
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
