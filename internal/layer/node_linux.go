package layer

import (
	"archive/tar"
	"fmt"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

func (u *unpacker) fifo(n entryName, h *tar.Header) error {
	l, parent, dir, err := u.approach(n, h)
	if err != nil {
		return err
	}
	mode := uint32(0o600)
	if u.h.exact() {
		mode = l.mode & 0o777
	}
	if err := u.do(step{verb: toMknod, dir: dir, name: n.base, mode: sys.S_IFIFO | mode}); err != nil {
		return err
	}
	path := ""
	if mode != l.mode {
		path = join(parent.path, n.base)
	}
	return u.dressAt(dir, n.base, path, &l)
}

// device makes a device node if the options allow it. No user namespace may, so this program does.
func (u *unpacker) device(n entryName, h *tar.Header) error {
	what := fmt.Sprintf("device %d:%d", h.Devmajor, h.Devminor)
	switch {
	case h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0:
		u.stats.skip(h.Name, what, "a raw whiteout of overlayfs never comes from an image")
		return nil
	case !u.o.Devices:
		u.stats.skip(h.Name, what, "device nodes are not made")
		return nil
	case h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20: // MINORBITS of the kernel
		return fail("mknod", fmt.Errorf("%s: %w", what, ErrType))
	}
	l, parent, dir, err := u.approach(n, h)
	if err != nil {
		return err
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	if err := u.h.removeAll(dir, n.base); err != nil {
		return fail("remove", err)
	}
	var typ uint32 = sys.S_IFBLK
	if h.Typeflag == tar.TypeChar {
		typ = sys.S_IFCHR
	}
	return u.nodeByHost(parent, n.base, typ, sys.Makedev(uint32(h.Devmajor), uint32(h.Devminor)), &l)
}

// nodeByHost makes a device with this program's own calls. It is never opened.
func (u *unpacker) nodeByHost(parent *directory, base string, typ uint32, dev uint64, l *look) error {
	f, err := inroot.Open(u.root, "/"+parent.path, sys.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", err)
	}
	defer func() { _ = f.Close() }()
	dir := int(f.Fd())
	if err := sys.Mknodat(dir, base, typ|0o600, dev); err != nil {
		return fail("mknod", err)
	}
	if err := sys.Lchownat(dir, base, l.uid, l.gid); err != nil {
		return chownError(err)
	}
	if err := sys.Lchmodat(dir, base, l.mode); err != nil {
		return fail("chmod", err)
	}
	return fail("utimes", sys.Lutimesat(dir, base, l.mtime))
}
