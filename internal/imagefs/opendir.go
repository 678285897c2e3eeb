package imagefs

import (
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// openDir is an open directory.
type openDir struct {
	info info

	mu     sync.Mutex
	next   int
	closed bool
}

// Stat describes the directory.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Read fails: a directory has no content.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.path(), Err: syscall.EISDIR}
}

// ReadDir lists on.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, &fs.PathError{Op: "readdir", Path: d.info.path(), Err: fs.ErrClosed}
	}
	left := d.info.node.dir.list[d.next:]
	if n > 0 && len(left) == 0 {
		return nil, io.EOF
	}
	if n > 0 {
		left = left[:min(n, len(left))]
	}
	d.next += len(left)
	return entries(d.info.path(), left), nil
}

// Close ends the listing.
func (d *openDir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}
