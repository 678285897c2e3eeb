package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caisson-go/caisson/internal/sys"
)

// Store is a state directory. It is safe for use by several goroutines, and the directory by several processes. It
// holds nothing open between calls, so there is nothing to close.
type Store struct {
	dir string

	// ready holds one value: whether the layout is there and what a crash left is removed. Whoever prepares the
	// directory takes it out meanwhile; a mutex could not be given up when a context ends.
	ready chan bool
}

// Open names the state directory. It is made, with mode 0700, by the first call that writes; until then the store is
// empty. An existing directory must belong to the caller. If others may enter it, it is closed to them, provided it is
// empty or a store already; a directory with other things in it is refused.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, &Error{Op: "open", Path: dir, Err: fs.ErrInvalid, Hint: "name a directory"}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, wrap("open", dir, err)
	}
	s := &Store{dir: abs, ready: make(chan bool, 1)}
	s.ready <- false
	return s, nil
}

// Dir is the absolute path of the state directory.
func (s *Store) Dir() string { return s.dir }

// read opens the directory for a call that only reads.
func (s *Store) read() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	if err := s.check(root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// write opens the directory for a call that writes, and makes what is missing.
func (s *Store) write(ctx context.Context) (*os.Root, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, wrap("open", s.dir, err)
	}
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, root); err != nil {
		root.Close()
		return nil, wrap("open", s.dir, err)
	}
	return root, nil
}

// check refuses a directory that another user owns or may enter.
func (s *Store) check(root *os.Root) error {
	fi, err := root.Stat(".")
	if err != nil {
		return wrap("open", s.dir, err)
	}
	if !sys.OwnedByCaller(fi) {
		return &Error{Op: "open", Path: s.dir, Err: fs.ErrPermission, Hint: "it belongs to another user; choose another directory"}
	}
	if fi.Mode().Perm()&0o077 == 0 || !permissions {
		return nil
	}
	if !disposable(root) {
		return &Error{Op: "open", Path: s.dir, Err: fs.ErrPermission,
			Hint: "others may enter it and it holds other files; choose an empty directory or chmod it to 0700"}
	}
	return wrap("open", s.dir, root.Chmod(".", 0o700))
}

// disposable reports a directory that may be closed to others: it is empty, or a store.
func disposable(root *os.Root) bool {
	if _, err := root.Lstat("oci-layout"); err == nil {
		return true
	}
	d, err := root.Open(".")
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) == 0
}

const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

// prepare makes the layout, and clears what a crash left, once per Store and again if the directory was removed.
func (s *Store) prepare(ctx context.Context, root *os.Root) error {
	var ready bool
	select {
	case ready = <-s.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.ready <- ready }()
	if _, err := root.Lstat("oci-layout"); err == nil && ready {
		return nil
	}
	ready = false
	for _, d := range []string{"blobs/sha256", "layers", "staging", "locks"} {
		if err := root.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := s.layout(ctx, root); err != nil {
		return err
	}
	err := sweep(ctx, root)
	ready = err == nil
	return err
}

// layout makes the two files of an OCI image layout. oci-layout comes last: it marks the directory as a store.
func (s *Store) layout(ctx context.Context, root *os.Root) error {
	release, err := lock(ctx, root, "index")
	if err != nil {
		return err
	}
	defer release()
	if _, err := root.Lstat("index.json"); errors.Is(err, fs.ErrNotExist) {
		if err := writeIndex(ctx, root, emptyIndex()); err != nil {
			return err
		}
	}
	if _, err := root.Lstat("oci-layout"); errors.Is(err, fs.ErrNotExist) {
		return replaceFile(ctx, root, "oci-layout", []byte(layoutFile))
	}
	return nil
}
