package proxy

import (
	"fmt"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Limits of one round trip. A quarter of the arena is for listings, and a removal takes 1 KiB at most:
// two operations, their results, and two names.
const (
	leastList  = 4 << 10 // getdents64(2) needs room for one name
	firstList  = 8 << 10 // enough for most directories, and cheap to clear and copy for those few
	mostList   = 256 << 10
	perRemoval = 1 << 10
	mostAtOnce = 64 // directories, and so descriptors
)

// maxBatch is how many directories are open at a time, beside the top one.
func (r *remover) maxBatch() int {
	return min(max(r.p.size/4/(2*leastList), 1), mostAtOnce)
}

func (r *remover) maxRemovals() int { return max(r.p.size/perRemoval, 1) }

// listing is where the operations for one directory leave what they find. Two reads, because the second
// tells whether the first was all, and mostly it was.
type listing struct {
	fd  tape.Arg
	n   [2]tape.Arg
	buf [2]tape.Ref
}

// list opens the directories that are not open and reads a part of each.
func (r *remover) list(batch []*directory) error {
	at := make([]listing, len(batch))
	most := mostList
	if batch[0].fd == 0 {
		most = firstList
	}
	size := min(max(r.p.size/4/(2*len(batch)), leastList), most)
	err := r.p.Run(func(t *tape.Tape) {
		for i, d := range batch {
			at[i] = addListing(t, d, size)
		}
	}, func(res *Results) {
		for i, d := range batch {
			r.learn(d, &at[i], res)
		}
	})
	if err != nil {
		return err
	}
	for _, d := range batch {
		if d.fd < 0 {
			if err := r.cannotOpen(d, syscall.Errno(-d.fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

// openFlags open a directory, and nothing else, for listing.
const openFlags = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW | sys.O_CLOEXEC

func addListing(t *tape.Tape, d *directory, size int) listing {
	l := listing{fd: t.Slot("fd")}
	fd, next := tape.Int(d.fd), t.Label("next")
	if d.fd == 0 {
		fd = l.fd
		t.Openat2(d.parent, d.name, openFlags, 0, sys.RESOLVE_NO_XDEV|sys.RESOLVE_NO_SYMLINKS).To(fd).Else(next)
		// Whoever owns it may write to it then, which removing entries takes.
		t.Fchmod(fd, 0o700).Ignore()
	}
	for i := range l.n {
		l.n[i], l.buf[i] = t.Slot("n"), t.Zero(size)
		t.Getdents64(fd, l.buf[i]).To(l.n[i]).Else(next)
	}
	t.Mark(next)
	return l
}

// learn takes over what was found about one directory.
func (r *remover) learn(d *directory, l *listing, res *Results) {
	if d.fd == 0 {
		d.fd = int(res.Result(l.fd))
	}
	d.known = nil
	if d.fd < 0 {
		return
	}
	for i := range l.n {
		n := res.Result(l.n[i])
		if n <= 0 {
			d.ended = true
		}
		if errno := errnoOf(n); errno != 0 {
			d.failed = true
			r.note("getdents64", d.path, errno)
			return
		}
		d.known = entries(d.known, res.Buffer(l.buf[i])[:n])
	}
}

// cannotOpen decides about a directory that could not be opened.
func (r *remover) cannotOpen(d *directory, errno syscall.Errno) error {
	d.fd = 0
	switch errno {
	case syscall.ENOENT: // somebody was faster
	case syscall.EACCES:
		if err := r.chmod(d.parent, d.name); err != nil {
			return err
		}
		r.join(d, errno)
	case syscall.ENOTDIR, syscall.ELOOP: // it was a directory a moment ago
		errno, err := r.unlink(d.parent, d.name, 0)
		if err != nil {
			return err
		}
		if errno != 0 && errno != syscall.ENOENT {
			r.note("unlinkat", d.path, errno)
		}
	default:
		r.note("openat2", d.path, errno)
	}
	return nil
}

// chmod makes a directory accessible to its owner, without following a link of that name. Its failure
// shows in what is tried next.
func (r *remover) chmod(dir tape.Arg, name string) error {
	var result, path tape.Arg
	var fd int64
	err := r.p.Run(func(t *tape.Tape) {
		result, path = t.Slot("result"), t.Slot("path")
		old, done := t.Label("old kernel"), t.Label("done")
		t.Fchmodat2(dir, name, 0o700, sys.AT_SYMLINK_NOFOLLOW).To(result).Then(done).Else(old)
		t.Mark(old)
		t.Openat(dir, name, sys.O_PATH|sys.O_DIRECTORY|sys.O_NOFOLLOW|sys.O_CLOEXEC, 0).To(path).Ignore()
		t.Mark(done)
	}, func(res *Results) {
		fd = res.Result(path)
	})
	if err != nil || fd <= 0 {
		return err
	}
	// Before 6.6: through the descriptor's name in proc, because fchmod refuses O_PATH; open(2).
	return r.p.Do(func(t *tape.Tape) {
		t.Fchmodat(tape.Cwd, fmt.Sprintf("/proc/self/fd/%d", fd), 0o700).Ignore()
		t.Close(tape.Int(int(fd))).Ignore()
	})
}
