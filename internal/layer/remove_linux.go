package layer

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// RemoveAll removes name and everything below it from the directory dir, with a bounded number of open files however
// deep the tree is, and without following a link. Directories whose mode keeps their owner out are opened up first.
// Two callers may remove the same tree at once. A name that is not there is no error. After an error or a crash there
// may be directories called ".rm-..." in dir.
func RemoveAll(dir *os.File, name string) error {
	defer runtime.KeepAlive(dir)
	r := remover{top: int(dir.Fd()), prefix: ".rm-" + rand.Text() + "-"}
	if err := r.run(r.top, name); err != nil {
		return &os.PathError{Op: "remove", Path: dir.Name() + "/" + name, Err: err}
	}
	return nil
}

// RemoveAllAs is RemoveAll for a tree that Unpack made with the same Options: files that belong to subordinate ids are
// removed by a process in the user namespace that has them.
func RemoveAllAs(dir *os.File, name string, o Options) error {
	err := RemoveAll(dir, name)
	if o.User == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	p, perr := proxy.Start(proxy.Options{
		Name: "caisson-remove", Files: []*os.File{dir}, Enter: o.User.Enter, Map: o.User.Map,
		Prelude: func(t *tape.Tape) { t.Setresgid(0); t.Setresuid(0) },
	})
	if perr != nil {
		return errors.Join(err, perr)
	}
	defer p.Close()
	return proxy.RemoveAll(p, tape.Int(proxy.FirstFile), name)
}

// remover removes one tree. Instead of descending, it moves every directory that is not empty up to top and removes
// that one later, so depth costs neither descriptors nor memory.
type remover struct {
	top    int
	prefix string
	moved  int // directories moved to top so far, which numbers their names
}

func (r *remover) run(parent int, name string) error {
	next := r.moved
	if err := r.clear(parent, name); err != nil {
		return err
	}
	for ; next < r.moved; next++ {
		if err := r.clear(r.top, r.prefix+strconv.Itoa(next)); err != nil {
			return err
		}
	}
	return nil
}

// maxIdle bounds the rounds over a directory in which nothing was removed.
const maxIdle = 128

// clear removes a name whose subdirectories it moves to top. Another process of the same user may change what is being
// removed; what turns out to be of another type than a moment ago is looked at again.
func (r *remover) clear(parent int, name string) error {
	var err error
	for idle := 0; idle < maxIdle; {
		if err = sys.Unlinkat(parent, name); err != syscall.EISDIR {
			return gone(err)
		}
		if err = sys.Rmdirat(parent, name); err != syscall.ENOTEMPTY && err != syscall.EEXIST && !changed(err) {
			return gone(err)
		}
		n, serr := r.sweep(parent, name)
		if serr != nil && !changed(serr) {
			return gone(serr)
		}
		if n == 0 {
			idle++
		}
	}
	return err
}

// changed reports an error that says: of another type.
func changed(err error) bool {
	return err == syscall.ENOTDIR || err == syscall.EISDIR || err == syscall.ELOOP
}

// sweep removes or moves away one batch of a directory's entries, and returns their number.
func (r *remover) sweep(parent int, name string) (int, error) {
	d, err := openOwned(parent, name)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, _ := d.Readdirnames(1024)
	for _, n := range names {
		if err := r.sweepOne(int(d.Fd()), n); err != nil && !changed(err) {
			return 0, err
		}
	}
	return len(names), nil
}

func (r *remover) sweepOne(dir int, name string) error {
	if err := sys.Unlinkat(dir, name); err != syscall.EISDIR {
		return gone(err)
	}
	if err := sys.Rmdirat(dir, name); err != syscall.ENOTEMPTY && err != syscall.EEXIST {
		return gone(err)
	}
	// Moving a directory writes its "..", for which its owner needs write permission on it.
	if err := sys.Lchmodat(dir, name, 0o700); gone(err) != nil && err != syscall.EOPNOTSUPP {
		return err
	}
	r.moved++
	return gone(sys.Renameat(dir, name, r.top, r.prefix+strconv.Itoa(r.moved-1)))
}

// openOwned opens a directory in which the caller, its owner, may list and remove.
func openOwned(parent int, name string) (*os.File, error) {
	fd, err := sys.OpenDirat(parent, name)
	if err == syscall.EACCES {
		if err := sys.Lchmodat(parent, name, 0o700); err != nil {
			return nil, err
		}
		fd, err = sys.OpenDirat(parent, name)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	e, err := sys.Fstat(fd)
	if err == nil && e.Mode&0o700 != 0o700 {
		err = sys.Fchmod(fd, 0o700)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// gone takes a name that is not there any more for removed.
func gone(err error) error {
	if err == syscall.ENOENT {
		return nil
	}
	return err
}
