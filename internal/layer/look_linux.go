package layer

import (
	"archive/tar"
	"math"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// look is what an entry says of a file beside its content.
type look struct {
	mode     uint32 // permission, set-id and sticky bits
	uid, gid uint32 // as the hands know them
	mtime    sys.Time
	xattrs   []attribute // of a file or directory, and only those that an image may set
}

// attribute is an extended attribute.
type attribute struct{ name, value string }

// The marks of a directory that hides what the layers below have in it.
const (
	trustedOpaque = "trusted.overlay.opaque"
	userOpaque    = "user.overlay.opaque"
)

// lookOf reads the look from a header.
func (u *unpacker) lookOf(h *tar.Header) (l look, err error) {
	l = look{
		mode:  uint32(h.Mode) & 0o7777,
		mtime: sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())},
	}
	if l.uid, l.gid, err = u.owner(h.Uid, h.Gid); err != nil {
		return l, err
	}
	dressed := h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse
	for _, name := range xattrs(h) {
		why := refuseXattr(name, u.o)
		if !dressed {
			why = "only files and directories have attributes"
		}
		if why != "" {
			u.stats.skip(h.Name, name, why)
			continue
		}
		l.xattrs = append(l.xattrs, attribute{name, h.PAXRecords[paxXattr+name]})
	}
	return l, nil
}

// plain is the look of a directory without an entry.
func (u *unpacker) plain() (l look, err error) {
	l = look{mode: 0o755, mtime: u.now}
	l.uid, l.gid, err = u.owner(0, 0)
	return l, err
}

// owner decides whose a file will be.
func (u *unpacker) owner(uid, gid int) (uint32, uint32, error) {
	if !validID(uid) || !validID(gid) {
		return 0, 0, fail("chown", ErrOwner)
	}
	switch {
	case u.o.IgnoreOwners:
		if uid != 0 || gid != 0 {
			u.stats.Squashed++
		}
		return u.uid, u.gid, nil
	case u.o.Owner != nil:
		var err error
		if uid, gid, err = u.o.Owner(uid, gid); err != nil {
			return 0, 0, fail("chown", err)
		}
		if !validID(uid) || !validID(gid) {
			return 0, 0, fail("chown", ErrOwner)
		}
	}
	return uint32(uid), uint32(gid), nil
}

// validID excludes 2^32-1, which chown(2) takes for "leave as it is".
func validID(id int) bool { return id >= 0 && int64(id) < math.MaxUint32 }

// foreign reports that a file does not belong to its owner from the beginning. That it does takes a directory that
// has no say in the group, as all have until they are dressed.
func (u *unpacker) foreign(l *look) bool {
	return !u.o.IgnoreOwners && (l.uid != u.uid || l.gid != u.gid || u.forgot)
}

// dress gives the open file or directory its look, and closes it. The order matters: chown(2) clears set-id bits and
// file capabilities, an access control list changes the mode, and everything changes the time.
func (u *unpacker) dress(l *look, entry string, own, mode bool) error {
	s := step{verb: toChown, uid: l.uid, gid: l.gid, entry: entry}
	if own {
		if err := u.pass(s); err != nil {
			return err
		}
	}
	for _, x := range l.xattrs {
		if err := u.pass(step{verb: toSetxattr, name: x.name, target: x.value, entry: entry}); err != nil {
			return err
		}
	}
	if mode {
		s.verb, s.mode = toChmod, l.mode
		if err := u.pass(s); err != nil {
			return err
		}
	}
	s.verb, s.time = toTimes, l.mtime
	if err := u.pass(s); err != nil {
		return err
	}
	s.verb = toCloseFile
	return u.pass(s)
}

// dressAt is dress for what must not be opened: links and FIFOs. path is empty if the mode is right.
func (u *unpacker) dressAt(dir handle, base, path string, l *look) error {
	s := step{verb: toChownAt, dir: dir, name: base, path: path, uid: l.uid, gid: l.gid, mode: l.mode, time: l.mtime}
	if u.foreign(l) {
		if err := u.do(s); err != nil {
			return err
		}
	}
	if path != "" {
		s.verb = toChmodAt
		if err := u.do(s); err != nil {
			return err
		}
	}
	s.verb = toTimesAt
	return u.do(s)
}

func chownError(err error) error {
	e := &Error{Op: "chown", Err: err}
	switch err {
	case syscall.EPERM:
		e.Hint = "without root, set IgnoreOwners"
	case syscall.EINVAL:
		e.Hint = "the user namespace has no such id; give the user more of them in /etc/subuid and /etc/subgid, or set IgnoreOwners"
	}
	return e
}
