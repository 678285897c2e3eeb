package layer

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// judge decides about a step that has failed, while nothing behind it is done. The handles are those of that moment;
// what is known of directories is of a later one, but of the name in question nothing has changed since.
func (u *unpacker) judge(s *step, errno syscall.Errno) (verdict, error) {
	v, err := u.judgeStep(s, errno)
	if v == again {
		if s.tries++; s.tries > maxTries {
			v, err = giveUp, &Error{Op: verbNames[s.verb], Err: errno}
		}
	}
	return v, named(err, s.entry)
}

func (u *unpacker) judgeStep(s *step, errno syscall.Errno) (verdict, error) {
	taken := errno == syscall.EEXIST
	switch s.verb {
	case toMkdir:
		if taken {
			return u.judgeDir(s)
		}
	case toCreate, toSymlink:
		if taken {
			return u.clear(s)
		}
	case toLink:
		return u.judgeLink(s, errno)
	case toMknod:
		return u.judgeNode(s, errno)
	case toWrite:
		return u.judgeWrite(s, errno)
	case toSetxattr:
		return u.judgeXattr(s, errno)
	case toChown, toChownAt:
		return giveUp, chownError(errno)
	case toChmodAt:
		return u.judgeMode(s, errno)
	}
	return giveUp, &Error{Op: verbNames[s.verb], Err: errno}
}

// clear removes what is in the way.
func (u *unpacker) clear(s *step) (verdict, error) {
	if err := u.h.removeAll(s.dir, s.name); err != nil {
		return giveUp, fail("remove", err)
	}
	return again, nil
}

// judgeDir makes a directory of something that is none. Whatever was there hid the directory of the layers below.
func (u *unpacker) judgeDir(s *step) (verdict, error) {
	e, err := u.h.stat(s.dir, s.name)
	d := u.known[s.path]
	switch {
	case err != nil:
		return giveUp, fail("stat", err)
	case e.IsDir():
		if d != nil {
			d.made = e.Mode & 0o7777
		}
		return skip, nil
	case s.guess && !e.IsWhiteout():
		return giveUp, fail("mkdir", syscall.ENOTDIR)
	}
	if errno := u.h.try(&step{verb: toUnlink, dir: s.dir, name: s.name}); errno != 0 {
		return giveUp, fail("unlink", errno)
	}
	if d != nil {
		d.opaque = true
	}
	return again, nil
}

func (u *unpacker) judgeLink(s *step, errno syscall.Errno) (verdict, error) {
	e, err := u.h.stat(s.from, s.target)
	switch {
	case err != nil:
		return giveUp, linkError(s.target, err)
	case e.IsDir():
		return giveUp, linkError(s.target, syscall.EISDIR)
	case errno != syscall.EEXIST:
		return giveUp, linkError(s.target, errno)
	}
	if old, err := u.h.stat(s.dir, s.name); err == nil && old.Dev == e.Dev && old.Ino == e.Ino {
		return skip, nil // removing the old name first could remove the file
	}
	return u.clear(s)
}

// judgeNode deals with FIFOs and whiteouts.
func (u *unpacker) judgeNode(s *step, errno syscall.Errno) (verdict, error) {
	isWhiteout := s.mode == sys.S_IFCHR
	switch {
	case !isWhiteout && errno == syscall.EEXIST:
		return u.clear(s)
	case !isWhiteout:
		return giveUp, fail("mknod", errno)
	case errno != syscall.EEXIST:
		return giveUp, whiteoutError(errno)
	}
	e, err := u.h.stat(s.dir, s.name)
	if err != nil {
		return giveUp, fail("stat", err)
	}
	if e.IsDir() {
		u.late = append(u.late, s.path)
	}
	return skip, nil
}

// judgeWrite tries again after a short write, which is how a disk runs full.
func (u *unpacker) judgeWrite(s *step, errno syscall.Errno) (verdict, error) {
	switch {
	case errno == syscall.EBADF && s.tries < maxTries:
		return again, nil
	case errno == syscall.EBADF:
		errno = syscall.ENOSPC
	}
	return giveUp, fail("write", errno)
}

// judgeXattr records what the kernel or the file system refuses. A directory that is not opaque would show files
// that the image removed.
func (u *unpacker) judgeXattr(s *step, errno syscall.Errno) (verdict, error) {
	op := "setxattr " + s.name
	if s.name == userOpaque {
		return giveUp, &Error{Op: op, Err: errno, Hint: "the file system must have user extended attributes (tmpfs since Linux 6.6)"}
	}
	switch errno {
	case syscall.EPERM, syscall.ENOTSUP, syscall.EINVAL:
		u.stats.skip(s.entry, s.name, errno.Error())
		return skip, nil
	}
	return giveUp, &Error{Op: op, Err: errno, Hint: "file systems bound the size of attributes"}
}

// judgeMode changes the mode with this program's own calls where the hands have no such call; before Linux 6.6.
func (u *unpacker) judgeMode(s *step, errno syscall.Errno) (verdict, error) {
	dir, base := cutLast(s.path)
	f, err := inroot.Open(u.root, "/"+dir, sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return giveUp, fail("chmod", errno)
	}
	defer func() { _ = f.Close() }()
	return skip, fail("chmod", sys.Lchmodat(int(f.Fd()), base, s.mode))
}
