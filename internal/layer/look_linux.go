package layer

import (
	"archive/tar"
	"math"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// look is what an entry says of a file beside its content.
type look struct {
	mode     uint32 // permission, set-id and sticky bits
	uid, gid int
	mtime    sys.Time
	h        *tar.Header // for extended attributes; nil has none
	symlink  bool
}

// lookOf reads the look from a header.
func lookOf(h *tar.Header) look {
	return look{
		mode: uint32(h.Mode) & 0o7777, uid: h.Uid, gid: h.Gid,
		mtime:   sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())},
		h:       h,
		symlink: h.Typeflag == tar.TypeSymlink,
	}
}

// plainDir is the look of a directory without an entry.
func plainDir(t sys.Time) look { return look{mode: 0o755, mtime: t} }

// dress gives an open file or directory its look. The order matters: chown(2) clears set-id bits and file
// capabilities, and everything changes the time.
func (u *unpacker) dress(fd int, l look) error {
	uid, gid, err := u.owner(l)
	if err != nil {
		return err
	}
	if err := sys.Fchown(fd, uid, gid); err != nil {
		return chownError(err)
	}
	if err := u.setXattrs(fd, l); err != nil {
		return err
	}
	if err := sys.Fchmod(fd, l.mode); err != nil {
		return fail("chmod", err)
	}
	return fail("utimes", sys.Lutimesat(fd, "", l.mtime))
}

// dressAt is dress for a directory in the current one.
func (u *unpacker) dressAt(base string, l look) (err error) {
	if l.mode, err = u.restrict(entryName{dir: u.at.path, base: base}.path(), l.mode); err != nil {
		return err
	}
	fd, err := sys.OpenDirat(u.at.fd(), base)
	if err != nil {
		return fail("open", err)
	}
	defer sys.CloseFD(fd)
	return u.dress(fd, l)
}

// dressNode is dress for what must not be opened: links, FIFOs, devices.
func (u *unpacker) dressNode(n entryName, l look) error {
	uid, gid, err := u.owner(l)
	if err != nil {
		return err
	}
	if err := sys.Lchownat(u.at.fd(), n.base, uid, gid); err != nil {
		return chownError(err)
	}
	for _, name := range xattrs(l.h) {
		u.stats.skip(l.h.Name, name, "only files and directories have attributes")
	}
	if !l.symlink {
		if err := sys.Lchmodat(u.at.fd(), n.base, l.mode); err != nil {
			return fail("chmod", err)
		}
	}
	return fail("utimes", sys.Lutimesat(u.at.fd(), n.base, l.mtime))
}

// restrict returns the mode to give a directory now: its owner needs to work in it until the layer is complete, then
// finish gives it the mode asked for.
func (u *unpacker) restrict(path string, mode uint32) (uint32, error) {
	const all = 0o700
	_, known := u.restricted[path]
	cost := int64(len(path)) + 64
	switch {
	case mode&all == all && known:
		delete(u.restricted, path)
		u.bytes -= cost
	case mode&all != all:
		if !known {
			u.bytes += cost
		}
		if u.bytes > maxRestricted {
			return 0, fail("chmod", &LimitError{"bytes of names of directories without owner permission", maxRestricted})
		}
		u.restricted[path] = mode
	}
	return mode | all, nil
}

// owner decides whose the file will be. Without owners it is the caller's, said explicitly: in a directory with the
// set-group-id bit new files take its group.
func (u *unpacker) owner(l look) (uid, gid uint32, err error) {
	id, group := l.uid, l.gid
	if !validID(id) || !validID(group) {
		return 0, 0, fail("chown", ErrOwner)
	}
	switch {
	case u.o.IgnoreOwners:
		if id != 0 || group != 0 {
			u.stats.Squashed++
		}
		id, group = os.Geteuid(), os.Getegid()
	case u.o.Owner != nil:
		if id, group, err = u.o.Owner(id, group); err != nil {
			return 0, 0, fail("chown", err)
		}
		if !validID(id) || !validID(group) {
			return 0, 0, fail("chown", ErrOwner)
		}
	}
	return uint32(id), uint32(group), nil
}

// validID excludes 2^32-1, which chown(2) takes for "leave as it is".
func validID(id int) bool { return id >= 0 && int64(id) < math.MaxUint32 }

func chownError(err error) error {
	e := &Error{Op: "chown", Err: err}
	switch err {
	case syscall.EPERM:
		e.Hint = "without root, set IgnoreOwners"
	case syscall.EINVAL:
		e.Hint = "the user namespace has no such id; map more ids or set IgnoreOwners"
	}
	return e
}

// setXattrs sets the attributes that an image may set. What the kernel or the file system refuses is recorded.
func (u *unpacker) setXattrs(fd int, l look) error {
	if l.h == nil {
		return nil
	}
	for _, name := range xattrs(l.h) {
		if why := refuseXattr(name, u.o); why != "" {
			u.stats.skip(l.h.Name, name, why)
			continue
		}
		switch err := sys.Fsetxattr(fd, name, []byte(l.h.PAXRecords[paxXattr+name])); err {
		case nil:
		case syscall.EPERM, syscall.ENOTSUP, syscall.EINVAL:
			u.stats.skip(l.h.Name, name, err.Error())
		default:
			return &Error{Op: "setxattr " + name, Err: err, Hint: "file systems bound the size of attributes"}
		}
	}
	return nil
}
