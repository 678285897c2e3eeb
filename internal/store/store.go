package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/statedir"
	"github.com/caisson-go/caisson/internal/sys"
)

// Store is a state directory. It is safe for use by several goroutines, and the directory by several processes. It
// holds nothing open between calls, so there is nothing to close.
type Store struct {
	dir  string
	open func() (disk, error) // opens dir; tests have disks of their own
	live session              // of the writers that Begin is for

	holds func(manifest v1.Hash) bool // see Options; may be nil

	// ready holds one value: whether the layout is there and what a crash left is removed. Whoever prepares the
	// directory takes it out meanwhile; a mutex could not be given up when a context ends.
	ready chan bool
}

// Open names the state directory. It is made, with mode 0700, by the first call that writes; until then the store is
// empty. An existing directory must belong to the caller. If others may enter it, it is closed to them, provided it is
// empty or a store already; a directory with other things in it is refused.
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// Options are what a Store needs of its caller. The zero value is for everybody.
type Options struct {
	// RemoveAll removes what is called name in dir, with everything below. A layer's files may belong to ids that only
	// a user namespace has, where removing takes more than layer.RemoveAll, which is what nil stands for.
	RemoveAll func(dir *os.File, name string) error

	// Holds tells whether something that the store does not know of stands on an image, by the digest of its manifest,
	// which is then in use. It is asked while nobody else writes. Nil: nothing does.
	Holds func(manifest v1.Hash) bool

	// Boot tells one run of the kernel from every other. Empty: this machine's; proc_sys_kernel(5), "random".
	Boot string
}

// OpenWith is Open with options.
func OpenWith(dir string, o Options) (*Store, error) {
	if dir == "" {
		return nil, &Error{Op: "open", Path: dir, Err: fs.ErrInvalid, Hint: "name a directory"}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, wrap("open", dir, err)
	}
	if o.RemoveAll == nil {
		o.RemoveAll = layer.RemoveAll
	}
	boot := sync.OnceValue(sys.BootID)
	if o.Boot != "" {
		boot = func() string { return o.Boot }
	}
	s := &Store{dir: abs, holds: o.Holds, ready: make(chan bool, 1)}
	s.open = func() (disk, error) {
		root, err := openDir(abs)
		if err != nil {
			return nil, err
		}
		return rootDisk{root, o.RemoveAll, boot}, nil
	}
	s.ready <- false
	return s, nil
}

// Dir is the absolute path of the state directory.
func (s *Store) Dir() string { return s.dir }

// read opens the directory for a call that only reads.
func (s *Store) read() (disk, error) {
	root, err := s.open()
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was written yet
		return nil, err
	case err != nil:
		return nil, s.unusable(err)
	}
	return root, nil
}

// unusable is the error about a state directory that cannot be used. The end of a context is no fault of its.
func (s *Store) unusable(err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e = &Error{Op: "open", Path: s.dir, Err: err}
	for _, cause := range []error{fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, syscall.EROFS, syscall.ENOTDIR} {
		if errors.Is(err, cause) {
			e.Hint = statedir.HintWritable
		}
	}
	return e
}

// denied is unusable for what may not be written or read in the directory, and the error as it is else.
func (s *Store) denied(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return s.unusable(err)
	}
	return err
}

// write opens the directory for a call that writes, and makes what is missing.
func (s *Store) write(ctx context.Context) (disk, error) {
	if err := makeDir(s.dir); err != nil {
		return nil, s.unusable(err)
	}
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, root); err != nil {
		root.Close()
		return nil, wrap("open", s.dir, s.unusable(err))
	}
	return root, nil
}

// update opens the directory for a call that changes what is there. There must be something.
func (s *Store) update(ctx context.Context) (disk, error) {
	root, err := s.read()
	if err != nil {
		return nil, err
	}
	_, err = root.Lstat("oci-layout")
	root.Close()
	if err != nil {
		return nil, err
	}
	return s.write(ctx)
}

// checkOwner refuses a directory that another user owns or may enter.
func checkOwner(root *os.Root, dir string) error {
	fi, err := root.Stat(".")
	switch {
	case err != nil:
		return wrap("open", dir, err)
	case !sys.OwnedByCaller(fi):
		return &Error{Op: "open", Path: dir, Err: fs.ErrPermission, Hint: "it belongs to another user; choose another directory"}
	case fi.Mode().Perm()&0o077 != 0 && permissions:
		return &Error{Op: "open", Path: dir, Err: fs.ErrPermission,
			Hint: "others may enter it and it holds other files; choose an empty directory or chmod it to 0700"}
	}
	return nil
}

const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

// prepare makes the layout, and clears what a crash left, once per Store and again if the directory was removed.
func (s *Store) prepare(ctx context.Context, root disk) error {
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
	for _, d := range []string{"blobs/sha256", "layers", "unsettled", "staging", "locks"} {
		if err := root.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := root.SyncDir("blobs"); err != nil { // the others' names are synced with that of index.json
		return err
	}
	for _, name := range []string{"gate", "gc", "index", "place", "staging"} { // a full disk has no room for them later
		f, err := root.OpenFile("locks/"+name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	if err := s.layout(ctx, root); err != nil {
		return err
	}
	err := sweep(ctx, root)
	ready = err == nil
	return err
}

// layout makes the two files of an OCI image layout. oci-layout comes last: it marks the directory as a store.
func (s *Store) layout(ctx context.Context, root disk) error {
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
