package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// make makes a plain entry, in place of what the layer had under that name before.
func (u *unpacker) make(n entryName, f *tarFile) error {
	h := &f.Header
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(n, f)
	case tar.TypeDir:
		return u.directory(n, h)
	case tar.TypeSymlink:
		return u.symlink(n, h)
	case tar.TypeLink:
		return u.hardLink(n, h)
	case tar.TypeFifo:
		return u.fifo(n, h)
	case tar.TypeChar, tar.TypeBlock:
		return u.device(n, h)
	}
	return fail("type "+fmt.Sprintf("%q", h.Typeflag), ErrType)
}

// enter is the parent of an entry that is no directory, opened, with nothing known in the entry's place.
func (u *unpacker) enter(n entryName) (*directory, handle, error) {
	parent, err := u.parentOf(n.dir)
	if err != nil {
		return nil, 0, err
	}
	if err := u.way(parent, n); err != nil {
		return nil, 0, err
	}
	dir, err := u.handleOf(parent)
	return parent, dir, err
}

func (u *unpacker) file(n entryName, f *tarFile) error {
	h := &f.Header
	if h.Size > u.o.Limits.Bytes-u.stats.Bytes {
		return fail("write", &LimitError{"file bytes", u.o.Limits.Bytes})
	}
	l, err := u.lookOf(h)
	if err != nil {
		return err
	}
	_, dir, err := u.enter(n)
	if err != nil {
		return err
	}
	// Not set-user-id while it is written to: that would clear the bit.
	if err := u.do(step{verb: toCreate, dir: dir, name: n.base, mode: l.mode & 0o777}); err != nil {
		return err
	}
	if err := u.copy(f); err != nil {
		return err
	}
	return u.dress(&l, h.Name, u.foreign(&l), l.mode&^0o777 != 0 || len(l.xattrs) > 0)
}

// copy writes the content. What is a hole in the stream stays one, so that a tiny layer can not fill the disk.
func (u *unpacker) copy(f *tarFile) error {
	u.stats.Bytes += f.Size
	if !f.sparse {
		return u.copyExtent(extent{0, f.Size})
	}
	for _, e := range f.extents {
		if err := u.copyExtent(e); err != nil {
			return err
		}
	}
	return u.do(step{verb: toTruncate, off: f.Size})
}

// copyExtent writes the next part of the content.
func (u *unpacker) copyExtent(e extent) error {
	for e.size > 0 {
		p, err := u.tar.data(e.size)
		if err != nil {
			return u.after(err)
		}
		if err := u.do(step{verb: toWrite, data: p, off: e.off}); err != nil {
			return err
		}
		e.off, e.size = e.off+int64(len(p)), e.size-int64(len(p))
	}
	return nil
}

// directory makes a directory, or gives one that the layer made before its new look.
func (u *unpacker) directory(n entryName, h *tar.Header) error {
	l, err := u.lookOf(h)
	if err != nil {
		return err
	}
	if n.base == "" {
		return u.setLook(u.top, l)
	}
	parent, err := u.parentOf(n.dir)
	if err != nil {
		return err
	}
	path := pathIn(parent, n)
	if d := u.known[path]; d != nil {
		return u.setLook(d, l)
	}
	if _, ok := u.crossed[path]; ok {
		u.dropAliases()
	}
	_, err = u.makeDir(parent, n.base, l, false)
	return err
}

// makeDir makes a directory. If it is there already judge makes the best of it.
func (u *unpacker) makeDir(parent *directory, base string, l look, guess bool) (*directory, error) {
	dir, err := u.handleOf(parent)
	if err != nil {
		return nil, err
	}
	mode := uint32(0o700)
	if u.h.exact() && l.mode&0o7700 == 0o700 {
		mode = l.mode
	}
	d := u.add(parent, base, look{}, true, mode)
	if u.forgot {
		d.made = ^uint32(0) // its parent may have had a say
	}
	if err := u.setLook(d, l); err != nil {
		return nil, err
	}
	return d, u.do(step{verb: toMkdir, dir: dir, name: base, mode: mode, path: d.path, guess: guess})
}

func (u *unpacker) symlink(n entryName, h *tar.Header) error {
	if h.Linkname == "" || strings.ContainsRune(h.Linkname, 0) {
		return fail("symlink", ErrName)
	}
	if len(h.Linkname) > u.o.Limits.Path {
		return fail("symlink", &LimitError{"bytes in a link target", int64(u.o.Limits.Path)})
	}
	l, err := u.lookOf(h)
	if err != nil {
		return err
	}
	parent, dir, err := u.enter(n)
	if err != nil {
		return err
	}
	u.noteLink(join(parent.path, n.base))
	if err := u.do(step{verb: toSymlink, dir: dir, name: n.base, target: h.Linkname}); err != nil {
		return err
	}
	return u.dressAt(dir, n.base, "", &l)
}

// hardLink gives a file of this layer another name. Its look is that of the file, whatever the entry says.
func (u *unpacker) hardLink(n entryName, h *tar.Header) error {
	t, err := parseName(h.Linkname, u.o.Limits)
	if err == nil && (t.kind != kindPlain || t.base == "") {
		err = ErrName
	}
	if err != nil {
		return fail("link", fmt.Errorf("to %.300q: %w", h.Linkname, err))
	}
	parent, dir, err := u.enter(n)
	if err != nil {
		return err
	}
	source, err := u.sourceOf(t.dir)
	if err != nil {
		return linkError(h.Linkname, err)
	}
	path := join(source.path, t.base)
	if u.known[path] != nil {
		return linkError(h.Linkname, syscall.EISDIR)
	}
	from, err := u.handleOf(source)
	if err != nil {
		return err
	}
	if err := u.notWhiteout(from, t.base); err != nil {
		return linkError(h.Linkname, err)
	}
	if _, isLink := u.links[u.hash(path)]; isLink {
		u.noteLink(join(parent.path, n.base))
	}
	return u.do(step{verb: toLink, dir: dir, name: n.base, from: from, target: t.base})
}

// sourceOf is the directory that a hard link's target is in.
func (u *unpacker) sourceOf(path string) (*directory, error) {
	if d := u.known[path]; d != nil {
		return d, nil
	}
	if d := u.aliases[path]; d != nil {
		return d, nil
	}
	return u.walk(path, false)
}

// notWhiteout refuses what the layer does not have: a link would be one more whiteout.
func (u *unpacker) notWhiteout(dir handle, base string) error {
	if !u.whiteouts {
		return nil
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	if e, err := u.h.stat(dir, base); err == nil && e.IsWhiteout() {
		return syscall.ENOENT
	}
	return nil
}

func linkError(target string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok { // of the way to it
		err = e.Err
	}
	e := &Error{Op: "link", Err: fmt.Errorf("to %.300q: %w", target, err)}
	if errors.Is(err, fs.ErrNotExist) {
		e.Hint = "a hard link must name a file of the same layer; rebuild the image"
	}
	return e
}

func (u *unpacker) fifo(n entryName, h *tar.Header) error {
	l, err := u.lookOf(h)
	if err != nil {
		return err
	}
	parent, dir, err := u.enter(n)
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
	l, err := u.lookOf(h)
	if err != nil {
		return err
	}
	parent, dir, err := u.enter(n)
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
