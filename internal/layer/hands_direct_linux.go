package layer

import (
	"errors"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// direct hands are this program's own calls, each made at once. They are for where no other process can be had.
type direct struct {
	judge judge
	fds   [handles]int
	file  int
	buf   []byte
	moved int // directories moved to the root by removeAll
}

func newDirect(dst *os.File, _ *Options, j judge) (hands, error) {
	d := &direct{judge: j, file: -1}
	for i := range d.fds {
		d.fds[i] = -1
	}
	f, err := inroot.Open(dst, "/", sys.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	d.fds[rootHandle], err = sys.DupAbove(f.Fd(), 0)
	return d, err
}

func (d *direct) do(s *step) error {
	for {
		errno := d.try(s)
		if errno == 0 {
			return nil
		}
		v, err := d.judge(s, errno)
		if err != nil || v == skip {
			return err
		}
	}
}

func (d *direct) try(s *step) syscall.Errno { return errnoOf(d.call(s)) }

func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return syscall.EIO
}

func (d *direct) call(s *step) (err error) {
	dir := d.fds[s.dir]
	switch s.verb {
	case toOpenDir:
		d.drop(&d.fds[s.into])
		d.fds[s.into], err = sys.OpenDirat(dir, s.name)
	case toOpenFile:
		d.drop(&d.file)
		d.file, err = sys.OpenDirat(dir, s.name)
	case toMkdir:
		err = sys.Mkdirat(dir, s.name, 0o700)
	case toCreate:
		d.drop(&d.file)
		if d.file, err = sys.CreateExcl(dir, s.name); err == nil {
			err = sys.Fchmod(d.file, s.mode)
		}
	case toWrite:
		err = sys.Pwrite(d.file, s.data, s.off)
	case toTruncate:
		err = sys.Truncate(d.file, s.off)
	case toSymlink:
		err = sys.Symlinkat(s.target, dir, s.name)
	case toLink:
		err = sys.Linkat(d.fds[s.from], s.target, dir, s.name)
	case toMknod:
		err = sys.Mknodat(dir, s.name, s.mode, 0)
	case toUnlink:
		err = sys.Unlinkat(dir, s.name)
	default:
		err = d.look(s, dir)
	}
	return err
}

// look is call for the steps that change how a file looks.
func (d *direct) look(s *step, dir int) (err error) {
	switch s.verb {
	case toChownAt:
		err = sys.Lchownat(dir, s.name, s.uid, s.gid)
	case toChmodAt:
		err = sys.Lchmodat(dir, s.name, s.mode)
	case toTimesAt:
		err = sys.Lutimesat(dir, s.name, s.time)
	case toChown:
		err = sys.Fchown(d.file, s.uid, s.gid)
	case toChmod:
		err = sys.Fchmod(d.file, s.mode)
	case toTimes:
		err = sys.Lutimesat(d.file, "", s.time)
	case toSetxattr:
		err = sys.Fsetxattr(d.file, s.name, []byte(s.target))
	case toCloseFile:
		err = sys.CloseFD(d.file)
		d.file = -1
	}
	return err
}

func (d *direct) drop(fd *int) {
	if *fd >= 0 {
		_ = sys.CloseFD(*fd)
		*fd = -1
	}
}

func (d *direct) settle() error { return nil }

func (d *direct) chunk() ([]byte, error) {
	if d.buf == nil {
		d.buf = make([]byte, chunkSize)
	}
	return d.buf, nil
}

func (d *direct) stat(dir handle, name string) (sys.Entry, error) {
	return sys.Lstatat(d.fds[dir], name)
}

func (d *direct) readlink(dir handle, name string) (string, error) {
	return sys.Readlinkat(d.fds[dir], name)
}

// removeAll moves the directories below aside to the root, under names that no entry can have.
func (d *direct) removeAll(dir handle, name string) error {
	r := remover{top: d.fds[rootHandle], prefix: whiteoutPrefix + ".rm-", moved: d.moved}
	err := r.run(d.fds[dir], name)
	d.moved = r.moved
	return err
}

func (d *direct) exact() bool { return false }

func (d *direct) confined() Confinement { return Confinement{} }

func (d *direct) close() {
	for i := range d.fds {
		d.drop(&d.fds[i])
	}
	d.drop(&d.file)
}
