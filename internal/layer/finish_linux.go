package layer

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// finish puts the looks of all directories on.
func (u *unpacker) finish() error { return u.dressAll(true) }

// trim keeps the memory for directories within bounds: they get their looks early. One that something is made in
// later gets its time back once more.
func (u *unpacker) trim() error {
	if u.cost < maxKnown {
		return nil
	}
	if err := u.dressAll(false); err != nil {
		return err
	}
	u.forgot = true
	u.dropAliases()
	return nil
}

// dressAll puts the looks of all directories on, those below first: a mode without search permission hides them. The
// last time all of them; before, only of those, then forgotten, in which whatever comes can still be made.
func (u *unpacker) dressAll(last bool) error {
	var walk func(d *directory) (kept bool, err error)
	walk = func(d *directory) (kept bool, err error) {
		for i := len(d.children) - 1; i >= 0; i-- { // from the end, because a child may be forgotten
			k, err := walk(d.children[i])
			if err != nil {
				return false, err
			}
			kept = kept || k
		}
		switch {
		case last:
			return false, u.dressDir(d)
		case kept || d.limit || d == u.top:
			return true, nil
		}
		if err := u.dressDir(d); err != nil {
			return false, err
		}
		u.forget(d)
		return false, nil
	}
	if err := u.h.settle(); err != nil { // judge may find more directories to be opaque
		return err
	}
	if _, err := walk(u.top); err != nil {
		return err
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	return u.markByHost()
}

// dressDir puts the look of one directory on.
func (u *unpacker) dressDir(d *directory) error {
	at := step{verb: toOpenFile, name: ".", path: d.path, entry: d.path}
	if d != u.top {
		parent, err := u.handleOf(d.parent)
		if err != nil {
			return err
		}
		at.dir, at.name = parent, d.base
	}
	l := d.look
	own := d.full && u.foreign(&l)
	chmod := d.full && (own || d.made != l.mode || len(l.xattrs) > 0)
	if d.opaque && u.o.UserXattr {
		l.xattrs = append(l.xattrs[:len(l.xattrs):len(l.xattrs)], attribute{userOpaque, "y"})
	} else if d.opaque {
		u.opaque = append(u.opaque, d.path)
	}
	if d != u.top && !own && !chmod && len(l.xattrs) == 0 {
		at.verb, at.time = toTimesAt, l.mtime
		return u.pass(at)
	}
	if err := u.pass(at); err != nil {
		return err
	}
	return u.dress(&l, d.path, own, chmod)
}

// markByHost marks directories opaque in the trusted namespace, where only the real root may.
func (u *unpacker) markByHost() error {
	for _, path := range u.opaque {
		d, err := inroot.Open(u.root, "/"+path, sys.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return &Error{Op: "open", Path: path, Err: err}
		}
		err = sys.Fsetxattr(int(d.Fd()), trustedOpaque, []byte("y"))
		_ = d.Close()
		if err != nil {
			return &Error{Op: "setxattr " + trustedOpaque, Path: path, Err: err, Hint: "without root, set UserXattr"}
		}
	}
	u.opaque = u.opaque[:0]
	return nil
}
