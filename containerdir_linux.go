package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
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
	base, err := e.containers()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, r.id)
	lock, err := makeLocked(dir)
	if err != nil {
		return "", &Error{"mkdir", dir, err, ""}
	}
	u.push(func() error {
		defer func() { _ = lock.Close() }()
		if r.keep {
			return nil
		}
		return e.removeTree(dir)
	})
	r.dir, r.lock = dir, lock
	return dir, nil
}

// makeLocked makes a directory and locks it. Between the two another program's sweep may take it for
// abandoned and remove it; then it is made again.
func makeLocked(dir string) (*os.File, error) {
	for {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		lock, err := lockDir(dir)
		if err == nil {
			if _, err = os.Lstat(dir); err == nil {
				return lock, nil
			}
			_ = lock.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) && !sys.Held(err) {
			return nil, err
		}
	}
}

// containers is the directory of all containers. The first time, what killed programs left is cleared.
func (e *Engine) containers() (string, error) {
	st := &e.state
	st.opening.Lock()
	defer st.opening.Unlock()
	dir, err := e.dir()
	if err != nil {
		return "", err
	}
	base := filepath.Join(dir, "containers")
	if st.swept {
		return base, nil
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", &Error{"mkdir", base, err, "set Engine.Dir to a directory that you may write to"}
	}
	e.sweep(base)
	st.swept = true
	return base, nil
}

// sweepOnce clears what killed programs left, for a container that needs no directory itself. There is
// nothing to clear where no container ever needed one.
func (e *Engine) sweepOnce() {
	dir, err := e.dir()
	if err != nil {
		return
	}
	if _, err := os.Lstat(filepath.Join(dir, "containers")); err == nil {
		_, _ = e.containers()
	}
}

// sweep removes the directories and cgroups of containers whose program is gone.
func (e *Engine) sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, entry := range entries {
		dir := filepath.Join(base, entry.Name())
		lock, err := lockDir(dir)
		if err != nil {
			continue // somebody's
		}
		err = errors.Join(removeGroups(entry.Name()), e.removeTree(dir))
		_ = lock.Close()
		e.log().Info("cleared a container whose program is gone", "container", entry.Name(), "error", err)
	}
}

// lockDir opens and locks a directory, or fails if another open file holds it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := sys.TryLock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removeTree removes a container's directory. Most are small: the writable layer of a program that wrote
// nothing is four empty directories, for which asking what is in them costs more than removing them.
func (e *Engine) removeTree(dir string) error {
	unlinkGenerated(dir + "/upper/etc")
	for _, d := range []string{"/work/work", "/work", "/upper/etc", "/upper", ""} {
		err := syscall.Rmdir(dir + d)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return e.removeAll(dir)
		}
	}
	return nil
}

// unlinkGenerated removes what the start made for mounts to stand on. The directory is the container's: in
// place of one that the image did not have it may have put a link to a directory of the host's.
func unlinkGenerated(etc string) {
	fd, err := syscall.Open(etc, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = syscall.Close(fd) }()
	for _, f := range []string{"hostname", "hosts", "resolv.conf"} {
		_ = syscall.Unlinkat(fd, f)
	}
}

// removeAll removes a tree in which the overlay left directories without permissions (work/work is 000),
// and programs files that belong to subordinate ids.
func (e *Engine) removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	sup, serr := e.hostSupport()
	if serr != nil {
		return err
	}
	return removeByProxy(sup, dir)
}

// removeByProxy removes a tree with the rights of a user namespace as the containers' was: a process in
// one does what this program asks of it.
func removeByProxy(sup *Support, dir string) error {
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	o := proxy.Options{Name: "caisson-remove", Files: []*os.File{parent}}
	r := request{spec: &Spec{}, support: sup}
	user, err := r.userNamespace()
	if err != nil {
		return err
	}
	o.Enter = func(t *tape.Tape) { plan.EnterUser(t, &user) }
	if user.Mode == plan.UserRanges {
		o.Map = func(pid int) error { return (&startup{support: sup}).writeMaps(pid) }
		o.Prelude = func(t *tape.Tape) { t.Setresgid(0); t.Setresuid(0) }
	}
	p, err := proxy.Start(o)
	if err != nil {
		return err
	}
	defer p.Close()
	return proxy.RemoveAll(p, tape.Int(proxy.FirstFile), filepath.Base(dir))
}
