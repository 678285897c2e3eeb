package layer

import (
	"archive/tar"
	"fmt"
	"strings"
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

// approach is enter for an entry with a look of its own, which is read first.
func (u *unpacker) approach(n entryName, h *tar.Header) (l look, parent *directory, dir handle, err error) {
	if l, err = u.lookOf(h); err == nil {
		parent, dir, err = u.enter(n)
	}
	return l, parent, dir, err
}

func (u *unpacker) file(n entryName, f *tarFile) error {
	h := &f.Header
	if h.Size > u.o.Limits.Bytes-u.stats.Bytes {
		return fail("write", &LimitError{"file bytes", u.o.Limits.Bytes})
	}
	l, _, dir, err := u.approach(n, h)
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
		u.stats.RootImplied = false
		return u.setLook(u.top, l)
	}
	parent, err := u.parentOf(n.dir)
	if err != nil {
		return err
	}
	path := pathIn(parent, n)
	u.gotEntry(path)
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
	l, parent, dir, err := u.approach(n, h)
	if err != nil {
		return err
	}
	u.noteLink(join(parent.path, n.base))
	if err := u.do(step{verb: toSymlink, dir: dir, name: n.base, target: h.Linkname}); err != nil {
		return err
	}
	return u.dressAt(dir, n.base, "", &l)
}
