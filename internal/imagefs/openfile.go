package imagefs

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// openFile is an open file that is no directory.
type openFile struct {
	fsys *FS
	info info

	mu     sync.Mutex
	in     *content // where reading has got to; nil before
	off    int64    // where the next Read is
	closed bool
}

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, f.fail("stat", fs.ErrClosed)
	}
	return f.info, nil
}

// Read reads on.
func (f *openFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(p, f.off)
	f.off += int64(n)
	return n, err
}

// ReadAt reads at an offset. Reading forwards is cheap; backwards in a compressed layer it is not.
func (f *openFile) ReadAt(p []byte, off int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off < 0 {
		return 0, f.fail("read", fs.ErrInvalid)
	}
	for n < len(p) && err == nil {
		var m int
		m, err = f.readAt(p[n:], off+int64(n))
		n += m
	}
	return n, err
}

// readAt reads something at an offset.
func (f *openFile) readAt(p []byte, off int64) (int, error) {
	n := f.info.node
	switch {
	case f.closed:
		return 0, f.fail("read", fs.ErrClosed)
	case !n.mode.IsRegular():
		return 0, f.fail("read", errors.ErrUnsupported)
	case off >= n.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if f.in == nil || f.in.pos != off {
		if err := f.reopen(off); err != nil {
			return 0, f.fail("read", err)
		}
	}
	m, err := f.in.read(p[:min(int64(len(p)), n.size-off)])
	if err == io.EOF && off+int64(m) < n.size {
		err = io.ErrUnexpectedEOF // the blob is not what was indexed
	}
	if m > 0 {
		err = nil // it comes again
	}
	return m, f.fail("read", err)
}

// reopen gets the content at an offset.
func (f *openFile) reopen(off int64) error {
	if err := f.letGo(); err != nil {
		return err
	}
	in, err := f.fsys.content(f.info.node, off)
	if err != nil {
		return &Error{Layer: f.fsys.layers[f.info.node.layer].Name, Entry: f.info.path(), Err: err}
	}
	f.in = in
	return nil
}

func (f *openFile) letGo() error {
	if f.in == nil {
		return nil
	}
	in := f.in
	f.in = nil
	return in.close()
}

// Seek sets where the next Read is.
func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.fail("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += f.info.node.size
	default:
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	f.off = offset
	return offset, nil
}

// Close gives back what the file holds.
func (f *openFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return f.fail("close", f.letGo())
}

func (f *openFile) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &fs.PathError{Op: op, Path: f.info.path(), Err: err}
}
