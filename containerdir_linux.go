package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// A container's directory is containers/ID below the state directory. Its program holds a lock on it
// while the container is open; flock(2) locks end with their process, however it ends. A directory that
// nobody holds belonged to a program that was killed, and is cleared by the next engine to come.

// containerDir makes and locks the directory of a container, the first time that it is asked for.
func (e *Engine) containerDir(r *request, u *undo) (string, error) {
	if r.dir != "" {
		return r.dir, nil
	}
	base, err := e.enterRoom()
	if err != nil {
		return "", err
	}
	lock, err := makeLocked(base, r.id)
	if err != nil {
		e.leaveRoom()
		return "", &Error{"mkdir", filepath.Join(base.Name(), r.id), err, ""}
	}
	u.push(func() error {
		defer e.leaveRoom()
		defer func() { _ = lock.Close() }()
		if r.keep {
			return nil
		}
		return e.removeTree(base, lock, r.id)
	})
	r.dir, r.lock = lock.Name(), lock
	return r.dir, nil
}

// makeLocked makes a directory and locks it. Between the two another program's sweep may take it for
// abandoned and remove it; then it is made again.
func makeLocked(base *os.File, id string) (*os.File, error) {
	for {
		if err := sys.Mkdirat(int(base.Fd()), id, 0o700); err != nil && err != syscall.EEXIST {
			return nil, err
		}
		lock, err := lockDir(base, id)
		if err == nil {
			if _, err = sys.Lstatat(int(base.Fd()), id); err == nil {
				return lock, nil
			}
			_ = lock.Close()
		}
		if err != syscall.ENOENT && !sys.Held(err) {
			return nil, err
		}
	}
}

// lockDir opens and locks a directory, or fails if another open file holds it.
func lockDir(base *os.File, name string) (*os.File, error) {
	f, err := openDir(int(base.Fd()), name, filepath.Join(base.Name(), name))
	if err != nil {
		return nil, err
	}
	if err := sys.TryLock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// enterRoom is the directory of all containers, until leaveRoom. The first time it is checked, and what killed
// programs left in it is cleared.
func (e *Engine) enterRoom() (*os.File, error) {
	r := &e.state.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users == 0 {
		if err := e.openRoom(r); err != nil {
			return nil, err
		}
	}
	r.users++
	return r.dir, nil
}

func (e *Engine) leaveRoom() {
	r := &e.state.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users == 0 {
		_ = r.dir.Close()
		r.dir = nil
	}
}

// openRoom opens it by its path if that still leads to what has been checked, else from the beginning.
func (e *Engine) openRoom(r *room) error {
	if r.path != "" {
		f, err := openDir(sys.AT_FDCWD, r.path, r.path)
		if err == nil {
			if id, err := identify(f); err == nil && id == r.id && id.born != 0 {
				r.dir = f
				return nil
			}
			_ = f.Close()
		}
	}
	dir, err := e.dir()
	if err != nil {
		return err
	}
	state, err := openStateDir(dir)
	if err != nil {
		return err
	}
	defer func() { _ = state.Close() }()
	path := filepath.Join(dir, "containers")
	if err := sys.Mkdirat(int(state.Fd()), "containers", 0o700); err != nil && err != syscall.EEXIST {
		return &Error{"mkdir", path, err, hintWritable}
	}
	f, err := openDir(int(state.Fd()), "containers", path)
	if err != nil {
		return &Error{"open", path, err, hintWritable}
	}
	if err = closeToOthers(f, true); err == nil {
		r.id, err = identify(f)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.path, r.dir = path, f
	e.state.points.forget()
	e.sweep(f)
	return nil
}

func identify(f *os.File) (roomID, error) {
	fd := int(f.Fd())
	look, err := sys.Fstat(fd)
	if err != nil {
		return roomID{}, err
	}
	born, err := sys.Born(fd)
	return roomID{look.Dev, look.Ino, born.Sec, born.Nsec, look.UID, look.Mode}, err
}

// removeTree removes a container's directory. Most are small: the writable layer of a program that wrote
// nothing is four empty directories, for which asking what is in them costs more than removing them.
func (e *Engine) removeTree(base, lock *os.File, id string) error {
	if sys.Rmdirat(int(lock.Fd()), "upper") == syscall.ENOTEMPTY {
		unlinkGenerated(lock)
	}
	for _, d := range []string{"work/work", "work", "upper"} {
		if err := sys.Rmdirat(int(lock.Fd()), d); err != nil && err != syscall.ENOENT {
			return e.removeAll(base, lock, id)
		}
	}
	if err := sys.Rmdirat(int(base.Fd()), id); err != nil && err != syscall.ENOENT {
		return e.removeAll(base, lock, id)
	}
	return nil
}

// unlinkGenerated removes what the start made for mounts to stand on, where the image hid the mount points. The directory is the container's: in
// place of one that the image did not have it may have put a link to a directory of the host's.
func unlinkGenerated(lock *os.File) {
	const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_NOFOLLOW | sys.O_CLOEXEC
	fd, err := sys.Openat2(int(lock.Fd()), "upper/etc", flags, 0, sys.RESOLVE_NO_SYMLINKS|sys.RESOLVE_BENEATH)
	if err != nil {
		return
	}
	defer func() { _ = sys.CloseFD(fd) }()
	for _, f := range generatedFiles() {
		_ = sys.Unlinkat(fd, f)
	}
	_ = sys.Rmdirat(int(lock.Fd()), "upper/etc")
}

// removeAll removes a tree in which the overlay left directories without permissions (work/work is 000),
// and programs whatever they liked: as deep as no number of descriptors and no path reaches, and files that
// belong to subordinate ids.
func (e *Engine) removeAll(base, lock *os.File, id string) error {
	err := empty(lock)
	if err == nil {
		if err = sys.Rmdirat(int(base.Fd()), id); err == nil || err == syscall.ENOENT {
			return nil
		}
		err = &fs.PathError{Op: "rmdir", Path: lock.Name(), Err: err}
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	sup, serr := e.hostSupport()
	if serr != nil {
		return err
	}
	return removeByProxy(sup, base, id)
}

// empty removes all that is in a directory. What is deep is moved up to it meanwhile.
func empty(dir *os.File) error {
	if _, err := dir.Seek(0, 0); err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, layer.RemoveAll(dir, name))
	}
	return err
}

// removeByProxy removes a tree with the rights of a user namespace as the containers' was: a process in
// one does what this program asks of it.
func removeByProxy(sup *Support, parent *os.File, name string) error {
	r := request{spec: &Spec{}, support: sup}
	p, err := r.userProxy("caisson-remove", parent)
	if err != nil {
		return err
	}
	defer p.Close()
	return proxy.RemoveAll(p, tape.Int(proxy.FirstFile), name)
}
