package proxy

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// RemoveAll removes name, an entry of the directory that the proxy has open as dir, and everything below
// it, with the rights of the proxy: in a user namespace whose ids own the files it may remove what the
// host program may not. What is not there is no error. No symbolic link is followed, and no mount is
// entered: one below is an error (EXDEV or EBUSY), and everything else is removed nevertheless.
//
// A directory that is not empty is moved up and emptied there, so depth costs neither descriptors nor
// stack, and no path is ever longer than a name. What could not be removed may lie there afterwards.
//
// Errors: *fs.PathError for the first entry that could not be removed, otherwise those of Do.
func RemoveAll(p *Proxy, dir tape.Arg, name string) error {
	if !component(name) {
		return &fs.PathError{Op: "remove", Path: strconv.Quote(name), Err: syscall.EINVAL}
	}
	r := &remover{p: p, prefix: ".caisson-" + rand.Text() + "-"}
	r.top = &directory{parent: dir, name: name, path: name}
	errno, err := r.unlink(dir, name, 0)
	switch {
	case err != nil:
		return err
	case errno == 0 || errno == syscall.ENOENT:
		return nil
	case errno == syscall.EISDIR || errno == syscall.EPERM: // as POSIX has it for directories
		return r.tree()
	}
	return &fs.PathError{Op: "unlinkat", Path: name, Err: errno}
}

// maxTries bounds the work on a directory, or an entry, that others change meanwhile.
const maxTries = 4

// remover is one RemoveAll.
type remover struct {
	p      *Proxy
	top    *directory
	prefix string // of the names of directories moved up
	moved  int
	queue  []*directory // all of them in top
	first  error        // what could not be removed first
}

// directory is one that must go.
type directory struct {
	parent tape.Arg
	name   string
	path   string // where it lay, for people
	tries  int
	fd     int     // 0: not open; that number is the proxy's socket
	known  []entry // listed, not yet removed
	ended  bool    // there is no more to list
	failed bool    // an entry must stay
}

// tree removes the top directory.
func (r *remover) tree() error {
	for {
		// Alone, because before anything moves up, what lies there must be known.
		r.top.ended = false
		r.queue = append(r.queue, r.top)
		for len(r.queue) > 0 {
			n := max(0, len(r.queue)-r.maxBatch())
			batch := slices.Clone(r.queue[n:])
			r.queue = r.queue[:n]
			if err := r.empty(batch); err != nil {
				return err
			}
		}
		errno, err := r.last()
		r.top.tries++
		if err != nil || errno == 0 || errno == syscall.ENOENT {
			return err
		}
		if !errors.Is(errno, fs.ErrExist) || r.top.tries > maxTries {
			return &fs.PathError{Op: "unlinkat", Path: r.top.path, Err: errno}
		}
	}
}

// last closes the top directory and, if nothing must stay, removes it.
func (r *remover) last() (syscall.Errno, error) {
	if r.top.fd > 0 {
		err := r.p.Do(func(t *tape.Tape) { t.Close(tape.Int(r.top.fd)).Ignore() })
		if err != nil {
			return 0, err
		}
		r.top.fd = 0
	}
	if r.first != nil {
		return 0, r.first
	}
	return r.unlink(r.top.parent, r.top.name, sys.AT_REMOVEDIR)
}

// empty empties and removes the directories of a batch. Those in them that are not empty join the queue.
func (r *remover) empty(batch []*directory) error {
	for len(batch) > 0 {
		if err := r.list(batch); err != nil {
			return err
		}
		if err := r.clear(batch); err != nil {
			return err
		}
		var open, ended []*directory
		for _, d := range batch {
			switch {
			case d.fd > 0 && !d.ended:
				open = append(open, d)
			case d.fd > 0 && d != r.top: // top stays open: directories move there
				ended = append(ended, d)
			}
		}
		if err := r.leave(ended); err != nil {
			return err
		}
		batch = open
	}
	return nil
}

// leave closes and removes directories that were listed to the end.
func (r *remover) leave(batch []*directory) error {
	if len(batch) == 0 {
		return nil
	}
	results := make([]tape.Arg, len(batch))
	return r.p.Run(func(t *tape.Tape) {
		for i, d := range batch {
			results[i] = t.Slot("removed")
			t.Close(tape.Int(d.fd)).Ignore()
			t.Unlinkat(d.parent, d.name, sys.AT_REMOVEDIR).To(results[i]).Ignore()
		}
	}, func(res *Results) {
		for i, d := range batch {
			switch errno := errnoOf(res.Result(results[i])); {
			case errno == 0 || errno == syscall.ENOENT:
			case errors.Is(errno, fs.ErrExist): // ENOTEMPTY too
				r.join(d, errno)
			default:
				r.note("unlinkat", d.path, errno)
			}
		}
	})
}

// join puts a directory into the queue, or gives up on it.
func (r *remover) join(d *directory, errno syscall.Errno) {
	d.tries++
	switch {
	case d.failed: // which is noted
	case d.tries > maxTries:
		r.note("unlinkat", d.path, errno)
	default:
		d.fd, d.known, d.ended = 0, nil, false
		r.queue = append(r.queue, d)
	}
}

// note remembers the first failure.
func (r *remover) note(op, at string, errno syscall.Errno) {
	if r.first == nil {
		r.first = &fs.PathError{Op: op, Path: at, Err: errno}
	}
}

// unlink removes one name.
func (r *remover) unlink(dir tape.Arg, name string, flags int) (errno syscall.Errno, err error) {
	var result tape.Arg
	err = r.p.Run(func(t *tape.Tape) {
		result = t.Slot("result")
		t.Unlinkat(dir, name, flags).To(result).Ignore()
	}, func(res *Results) { errno = errnoOf(res.Result(result)) })
	return errno, err
}

func errnoOf(result int64) syscall.Errno {
	if result < 0 {
		return syscall.Errno(-result)
	}
	return 0
}

// below is the printed path of an entry. The end of a long one says more than its beginning.
func below(dir, name string) string {
	const limit = 1024
	p := path.Join(dir, name)
	if len(p) > limit {
		p = "..." + p[len(p)-limit:]
	}
	return p
}
