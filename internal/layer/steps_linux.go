package layer

import (
	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

const (
	dirFlags    = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW | sys.O_CLOEXEC
	createFlags = sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL | sys.O_NOFOLLOW | sys.O_CLOEXEC
)

// addStep adds the operations of a step. data is the address of what it writes.
func addStep(t *tape.Tape, s *step, data tape.Arg) {
	dir, file := proxy.Word(int(s.dir)), proxy.Word(fileWord)
	switch s.verb {
	case toOpenDir:
		into := proxy.Word(int(s.into))
		if s.off != 0 { // in use
			t.Close(into).Ignore()
		}
		t.Openat(dir, s.name, dirFlags, 0).To(into)
	case toOpenFile:
		t.Openat(dir, s.name, dirFlags, 0).To(file)
	case toMkdir:
		t.Mkdirat(dir, s.name, s.mode)
	case toCreate:
		t.Openat(dir, s.name, createFlags, s.mode).To(file)
	case toWrite:
		addWrite(t, s, file, data)
	case toTruncate:
		t.Ftruncate(file, s.off)
	case toSymlink:
		t.Symlinkat(s.target, dir, s.name)
	case toLink:
		t.Linkat(proxy.Word(int(s.from)), s.target, dir, s.name, 0)
	case toMknod:
		t.Mknodat(dir, s.name, s.mode, 0)
	case toUnlink:
		t.Unlinkat(dir, s.name, 0)
	default:
		addLook(t, s, dir, file)
	}
}

// addLook is addStep for the steps that change how a file looks.
func addLook(t *tape.Tape, s *step, dir, file tape.Arg) {
	switch s.verb {
	case toChownAt:
		t.Fchownat(dir, s.name, s.uid, s.gid, sys.AT_SYMLINK_NOFOLLOW)
	case toChmodAt:
		t.Fchmodat2(dir, s.name, s.mode, sys.AT_SYMLINK_NOFOLLOW)
	case toTimesAt:
		t.Utimensat(dir, s.name, s.time.Sec, s.time.Nsec, sys.AT_SYMLINK_NOFOLLOW)
	case toChown:
		t.Fchown(file, s.uid, s.gid)
	case toChmod:
		t.Fchmod(file, s.mode)
	case toTimes:
		t.Utimensat(file, "", s.time.Sec, s.time.Nsec, 0)
	case toSetxattr:
		t.Fsetxattr(file, s.name, s.target)
	case toCloseFile:
		t.Close(file)
	}
}

// addWrite writes at an offset, so that it can be done again, and fails where less was written than asked for: that
// is a full disk, and the next attempt is told so.
func addWrite(t *tape.Tape, s *step, file, data tape.Arg) {
	n, short, all := t.Slot(""), t.Label(""), t.Label("")
	t.PwriteMem(file, data, len(s.data), s.off).To(n)
	t.If(n, tape.Int(len(s.data)), all, short)
	t.Mark(short)
	t.Close(tape.Int(-1))
	t.Mark(all)
}
