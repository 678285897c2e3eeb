package layer

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// maxHops bounds the symbolic links followed to make missing directories, as the kernel's MAXSYMLINKS does.
const maxHops = 40

// place is the directory that entries are being made in. Making one changes the directory's time stamp, so the stamp
// is kept from the moment of entering and put back on leaving; that way no list of all directories is needed.
type place struct {
	f     *os.File
	path  string
	mtime sys.Time
}

func (p *place) fd() int { return int(p.f.Fd()) }

// enter makes path the current directory. A path that goes through links of the layer is resolved by the kernel inside
// the root; what is missing is made, as a tar file needs no entry for a parent. hops counts dangling links.
func (u *unpacker) enter(path string, hops int) error {
	if u.at.f != nil && u.at.path == path {
		return nil
	}
	if err := u.leave(); err != nil {
		return err
	}
	f, err := u.openDir(path)
	if path != "" && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR)) {
		if err := u.imply(path, hops); err != nil {
			return err
		}
		if err := u.leave(); err != nil {
			return err
		}
		f, err = u.openDir(path)
	}
	if err != nil {
		return fail("open", err)
	}
	e, err := sys.Fstat(int(f.Fd()))
	if err != nil {
		f.Close()
		return fail("stat", err)
	}
	u.at = place{f: f, path: path, mtime: e.Mtime}
	return nil
}

func (u *unpacker) openDir(path string) (*os.File, error) {
	return inroot.Open(u.root, "/"+path, sys.O_RDONLY|syscall.O_DIRECTORY, 0)
}

// leave puts the time stamp of the current directory back and closes it.
func (u *unpacker) leave() error {
	if u.at.f == nil {
		return nil
	}
	err := sys.Lutimesat(u.at.fd(), "", u.at.mtime)
	u.at.f.Close()
	u.at = place{}
	return fail("utimes", err)
}

// imply makes the last component of path, a parent directory that the layer has no entry for.
func (u *unpacker) imply(path string, hops int) error {
	dir, base := cutLast(path)
	if err := u.enter(dir, hops); err != nil {
		return err
	}
	err := sys.Mkdirat(u.at.fd(), base, 0o700)
	if err == syscall.EEXIST {
		return u.implyExisting(dir, base, hops)
	}
	if err != nil {
		return fail("mkdir", err)
	}
	return u.implied(base)
}

// implied finishes a directory that imply made.
func (u *unpacker) implied(base string) error {
	if err := u.count(); err != nil {
		return err
	}
	u.stats.Implied++
	return u.dressAt(base, plainDir(u.now))
}

// implyExisting deals with a parent that is there and yet could not be opened as a directory.
func (u *unpacker) implyExisting(dir, base string, hops int) error {
	e, err := sys.Lstatat(u.at.fd(), base)
	switch {
	case err != nil:
		return fail("stat", err)
	case e.IsDir():
		return nil
	case e.IsWhiteout(): // removed and made again by this layer: nothing of the layers below may show in it
		if err := u.mkdirOver(base); err != nil {
			return err
		}
		if err := u.implied(base); err != nil {
			return err
		}
		return u.setOpaque(base)
	case e.IsSymlink():
		return u.implyTarget(dir, base, hops)
	}
	return fail("mkdir", syscall.ENOTDIR)
}

// implyTarget makes the directory that a dangling link points to, inside the root. Such links are common: the layer
// below has the directory.
func (u *unpacker) implyTarget(dir, base string, hops int) error {
	if hops >= maxHops {
		return fail("open", syscall.ELOOP)
	}
	target, err := sys.Readlinkat(u.at.fd(), base)
	if err != nil {
		return fail("readlink", err)
	}
	// Only text is put together here. The kernel walks it, with the layer's root as "/".
	path := strings.Trim(target, "/")
	if !strings.HasPrefix(target, "/") && dir != "" {
		path = dir + "/" + path
	}
	return u.enter(path, hops+1)
}

// cutLast splits the last component off a path that is not empty.
func cutLast(path string) (dir, base string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	return strings.TrimRight(path[:max(i, 0)], "/"), path[i+1:]
}
