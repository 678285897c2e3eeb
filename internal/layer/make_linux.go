package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// make makes a plain entry, in place of what the layer had under that name before.
func (u *unpacker) make(n entryName, h *tar.Header, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(n, h, body)
	case tar.TypeDir:
		return u.directory(n, h)
	case tar.TypeSymlink:
		return u.symlink(n, h)
	case tar.TypeLink:
		return u.hardLink(n, h)
	case tar.TypeFifo:
		return u.node(n, h, sys.S_IFIFO, 0)
	case tar.TypeChar, tar.TypeBlock:
		return u.device(n, h)
	}
	return fail("type "+fmt.Sprintf("%q", h.Typeflag), ErrType)
}

// create calls mk in the directory dir, a second time if the name was taken.
func (u *unpacker) create(op string, n entryName, mk func(dirfd int) error) error {
	if err := u.enter(n.dir, 0); err != nil {
		return err
	}
	err := mk(u.at.fd())
	if err == syscall.EEXIST {
		if err := u.remove(n.base); err != nil {
			return err
		}
		err = mk(u.at.fd())
	}
	return fail(op, err)
}

func (u *unpacker) file(n entryName, h *tar.Header, body io.Reader) error {
	if h.Size > u.o.Limits.Bytes-u.stats.Bytes {
		return fail("write", &LimitError{"file bytes", u.o.Limits.Bytes})
	}
	fd := -1
	err := u.create("create", n, func(dirfd int) (err error) {
		fd, err = sys.CreateExcl(dirfd, n.base)
		return err
	})
	if err != nil {
		return err
	}
	if err = u.copy(fd, h, body); err == nil {
		err = u.dress(fd, lookOf(h))
	}
	// close(2) is where some file systems report that the data did not fit.
	if cerr := sys.CloseFD(fd); err == nil {
		err = fail("close", cerr)
	}
	return err
}

// copy writes the content. In a sparse file stretches of zeros stay holes, so that a tiny layer can not fill the disk.
func (u *unpacker) copy(fd int, h *tar.Header, body io.Reader) error {
	if u.buf == nil {
		u.buf = make([]byte, 128<<10)
	}
	sparse, size := isSparse(h), int64(0)
	for {
		n, rerr := body.Read(u.buf)
		p := u.buf[:n]
		size += int64(n)
		var err error
		if sparse && len(bytes.TrimLeft(p, "\x00")) == 0 {
			err = sys.Skip(fd, int64(n))
		} else {
			err = sys.Write(fd, p)
		}
		if err != nil {
			return fail("write", err)
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return readError(rerr)
		}
	}
	u.stats.Bytes += size
	if sparse {
		return fail("truncate", sys.Truncate(fd, size))
	}
	return nil
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// directory makes a directory, or gives one that the layer made before its new look.
func (u *unpacker) directory(n entryName, h *tar.Header) error {
	if n.base == "" {
		return u.rootEntry(h)
	}
	if err := u.enter(n.dir, 0); err != nil {
		return err
	}
	err := sys.Mkdirat(u.at.fd(), n.base, 0o700)
	replaced := false
	if err == syscall.EEXIST {
		e, serr := sys.Lstatat(u.at.fd(), n.base)
		if serr != nil {
			return fail("stat", serr)
		}
		if replaced = !e.IsDir(); replaced {
			if err := u.mkdirOver(n.base); err != nil {
				return err
			}
		}
	} else if err != nil {
		return fail("mkdir", err)
	}
	if err := u.dressAt(n.base, lookOf(h)); err != nil {
		return err
	}
	if replaced { // whatever was there hid the directory of the layers below
		return u.setOpaque(n.base)
	}
	return nil
}

// rootEntry gives the root its look. It is left first, or leave would put the old time stamp back.
func (u *unpacker) rootEntry(h *tar.Header) error {
	if err := u.leave(); err != nil {
		return err
	}
	d, err := u.openDir("")
	if err != nil {
		return fail("open", err)
	}
	defer d.Close()
	l := lookOf(h)
	if l.mode, err = u.restrict("", l.mode); err != nil {
		return err
	}
	return u.dress(int(d.Fd()), l)
}

// mkdirOver makes a directory in place of something that is none.
func (u *unpacker) mkdirOver(base string) error {
	if err := sys.Unlinkat(u.at.fd(), base); err != nil {
		return fail("unlink", err)
	}
	return fail("mkdir", sys.Mkdirat(u.at.fd(), base, 0o700))
}

func (u *unpacker) symlink(n entryName, h *tar.Header) error {
	if h.Linkname == "" || strings.ContainsRune(h.Linkname, 0) {
		return fail("symlink", ErrName)
	}
	if len(h.Linkname) > u.o.Limits.Path {
		return fail("symlink", &LimitError{"bytes in a link target", int64(u.o.Limits.Path)})
	}
	err := u.create("symlink", n, func(dirfd int) error { return sys.Symlinkat(h.Linkname, dirfd, n.base) })
	if err != nil {
		return err
	}
	return u.dressNode(n, lookOf(h))
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
	from, err := inroot.Open(u.root, "/"+t.dir, sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linkError(h, err)
	}
	defer from.Close()
	e, err := sys.Lstatat(int(from.Fd()), t.base)
	switch {
	case err != nil:
		return linkError(h, err)
	case e.IsWhiteout(): // the layer has no such file; a link would be one more whiteout
		return linkError(h, syscall.ENOENT)
	case e.IsDir():
		return linkError(h, syscall.EISDIR)
	}
	if err := u.enter(n.dir, 0); err != nil {
		return err
	}
	if old, err := sys.Lstatat(u.at.fd(), n.base); err == nil && old.Dev == e.Dev && old.Ino == e.Ino {
		return nil // removing the old name first could remove the file
	}
	return u.create("link", n, func(dirfd int) error {
		return sys.Linkat(int(from.Fd()), t.base, dirfd, n.base)
	})
}

func linkError(h *tar.Header, err error) error {
	e := &Error{Op: "link", Err: fmt.Errorf("to %.300q: %w", h.Linkname, err)}
	if errors.Is(err, fs.ErrNotExist) {
		e.Hint = "a hard link must name a file of the same layer; rebuild the image"
	}
	return e
}

// device makes a device node if the options allow it.
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
	var typ uint32 = sys.S_IFBLK
	if h.Typeflag == tar.TypeChar {
		typ = sys.S_IFCHR
	}
	return u.node(n, h, typ, sys.Makedev(uint32(h.Devmajor), uint32(h.Devminor)))
}

// node makes a FIFO or device. Neither is ever opened.
func (u *unpacker) node(n entryName, h *tar.Header, typ uint32, dev uint64) error {
	err := u.create("mknod", n, func(dirfd int) error { return sys.Mknodat(dirfd, n.base, typ|0o600, dev) })
	if err != nil {
		return err
	}
	return u.dressNode(n, lookOf(h))
}
