package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/sys"
)

// disk is the state directory, opened for one call. Everything that the store does to it goes through here, so that the
// tests can record, fail or cut short each step. Names are relative to the directory and can not lead out of it.
type disk interface {
	Open(name string) (*os.File, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) // locks
	Create(name string) (output, error)                                 // a new file, for writing
	Rewrite(name string) (output, error)                                // a file that is there, from its beginning
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Rename(from, to string) error
	Remove(name string) error     // a file or an empty directory
	RemoveTree(name string) error // whatever there is; nothing is no error
	SyncDir(name string) error    // fsync(2) of a file does not make its name durable
	SyncAll(name string) error    // everything on the file system of that directory
	Boot() string                 // which run of the kernel this is; "" if that is not known
	Close() error
}

// output is a file that is being written.
type output interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// rootDisk is the disk that is no test's.
type rootDisk struct {
	*os.Root
	remove func(dir *os.File, name string) error
	boot   func() string
}

// Boot is for this run of the kernel alone.
func (r rootDisk) Boot() string { return r.boot() }

// Create makes a file that must not be there yet.
func (r rootDisk) Create(name string) (output, error) {
	return r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rewrite opens a file to be overwritten, which takes no new room as far as it goes.
func (r rootDisk) Rewrite(name string) (output, error) { return r.OpenFile(name, os.O_WRONLY, 0) }

// RemoveTree removes a tree that may hold directories without permissions, be deeper than the limit on open files,
// and belong to subordinate ids.
func (r rootDisk) RemoveTree(name string) error {
	err := r.Remove(name) // a file, an empty directory or nothing: most of what is removed
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !layer.Supported {
		return r.RemoveAll(name)
	}
	dir, err := r.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	err = r.remove(dir, path.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncDir makes the names in a directory durable.
func (r rootDisk) SyncDir(name string) error {
	if !syncsDirectories {
		return nil
	}
	d, err := r.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SyncAll is syncfs(2).
func (r rootDisk) SyncAll(name string) error {
	d, err := r.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(sys.Syncfs(d), d.Close())
}
