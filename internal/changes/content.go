package changes

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// file writes what is neither a directory nor a further name.
func (a *archive) file(f *frame, it *item, path string) error {
	switch it.Type() {
	case sys.S_IFREG:
		return a.regular(f, it, path)
	case sys.S_IFLNK:
		return a.symlink(f, it, path)
	}
	h, err := a.header(path, &it.Looked, nil)
	if err != nil {
		return err
	}
	return a.write(h)
}

func (a *archive) symlink(f *frame, it *item, path string) error {
	l, err := a.link(f, it)
	if errors.Is(err, fs.ErrNotExist) {
		delete(a.links, identity{it.Dev, it.Ino}) // nothing may be a link to what is not there
		return nil
	}
	if err == syscall.EINVAL {
		err = ErrChanged
	}
	if err != nil {
		return fail("readlink", path, err)
	}
	h, err := a.header(path, &it.Looked, nil)
	if err != nil {
		return err
	}
	h.Linkname = l
	return a.write(h)
}

// regular writes a regular file. What it is when it is open counts, and must stay so.
func (a *archive) regular(f *frame, it *item, path string) error {
	file, err := a.open(f, it)
	if errors.Is(err, fs.ErrNotExist) {
		delete(a.links, identity{it.Dev, it.Ino}) // nothing may be a link to what is not there
		return nil
	}
	if err != nil {
		return fail("open", path, err)
	}
	defer func() { _ = file.Close() }()
	if readMarks(file.Xattrs, a.prefix).metacopy {
		return fail("open", path, ErrMetacopy)
	}
	now, err := sys.Lookat(int(file.Fd()), "")
	if err == nil && (now.Type() != sys.S_IFREG || !now.Same(&it.Look)) {
		err = ErrChanged
	}
	if err != nil {
		return fail("open", path, err)
	}
	it.Size, it.Mtime, it.Blocks, it.Ctime = now.Size, now.Mtime, now.Blocks, now.Ctime
	if a.bytes += it.Size; a.bytes > a.limits.Bytes || a.bytes < 0 {
		return fail("read", path, &LimitError{"bytes in files", a.limits.Bytes})
	}
	h, err := a.header(path, &it.Looked, file.Xattrs)
	if err != nil {
		return err
	}
	if err := a.write(h); err != nil {
		return err
	}
	return fail("read", path, a.content(file.File, &now))
}

// content writes the content of a file, without reading its holes.
func (a *archive) content(f *os.File, was *sys.Look) error {
	fd := int(f.Fd())
	sparse := was.Blocks*512 < was.Size
	for off := int64(0); off < was.Size; {
		data, end := off, was.Size
		if sparse {
			data, end = nextData(fd, off, was.Size)
		}
		if err := a.zeros(data - off); err != nil {
			return err
		}
		if err := a.copy(fd, data, end); err != nil {
			return err
		}
		off = end
	}
	return stayed(fd, was)
}

// stayed fails with ErrChanged if an open file is not any more what it was before its content was read.
func stayed(fd int, was *sys.Look) error {
	now, err := sys.Lookat(fd, "")
	if err == nil && (now.Size != was.Size || now.Mtime != was.Mtime || now.Ctime != was.Ctime) {
		err = ErrChanged
	}
	return err
}

// nextData is the next stretch of a file that is no hole. Where a filesystem does not tell, all is data.
func nextData(fd int, off, size int64) (data, end int64) {
	data, err := sys.SeekData(fd, off)
	if err == syscall.ENXIO || err == nil && data >= size {
		return size, size
	}
	if err != nil {
		return off, size
	}
	if end, err = sys.SeekHole(fd, data); err != nil || end <= data || end > size {
		end = size
	}
	return data, end
}

// zeros writes a hole.
func (a *archive) zeros(n int64) error {
	if n == 0 {
		return nil
	}
	clear(a.buf)
	for ; n > 0; n -= int64(len(a.buf)) {
		if err := a.put(a.buf[:min(n, int64(len(a.buf)))]); err != nil {
			return err
		}
	}
	return nil
}

// copy writes the bytes of a file from off to end.
func (a *archive) copy(fd int, off, end int64) error {
	for off < end {
		n, err := sys.Pread(fd, a.buf[:min(end-off, int64(len(a.buf)))], off)
		if err == nil && n == 0 {
			err = ErrChanged // it has become shorter
		}
		if err != nil {
			return err
		}
		if err := a.put(a.buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (a *archive) put(p []byte) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	_, err := a.tw.Write(p)
	return err
}

// open opens a file, and where asking is dear those that follow it too.
func (a *archive) open(f *frame, it *item) (*File, error) {
	if it.file == nil {
		d, err := a.pool.get(f.stack[it.top])
		if err != nil {
			return nil, err
		}
		which := f.ahead(it, d.Batch(), sys.S_IFREG)
		for i, file := range d.Files(namesOf(which), a.wantXattr) {
			which[i].file = &file
		}
	}
	file := it.file
	it.file = nil
	return file, file.Err
}

// wantXattr is for files: their own attributes, and what overlayfs says of them.
func (a *archive) wantXattr(name string) bool { return keepXattr(name) || isMark(name, a.prefix) }

// link reads a symbolic link, and where asking is dear those that follow it too.
func (a *archive) link(f *frame, it *item) (string, error) {
	if it.link == nil {
		d, err := a.pool.get(f.stack[it.top])
		if err != nil {
			return "", err
		}
		which := f.ahead(it, d.Batch(), sys.S_IFLNK)
		for i, l := range d.Links(namesOf(which)) {
			which[i].link = &l
		}
	}
	return it.link.Target, it.link.Err
}

// ahead are an item and up to most in all of the same type and layer, none behind the next directory: nothing may be
// open while another directory is gone through.
func (f *frame) ahead(it *item, most int, typ uint32) []*item {
	which := []*item{it}
	for i := range f.found {
		next := &f.found[i]
		if len(which) >= most || next.Type() == sys.S_IFDIR {
			break
		}
		if next.Type() == typ && next.top == it.top && next.Nlink < 2 && next.file == nil && next.link == nil {
			which = append(which, next)
		}
	}
	return which
}

func namesOf(items []*item) []string {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = it.name
	}
	return names
}
