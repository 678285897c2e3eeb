package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// imageUses are the images of the store that containers of this engine use. They share one lock on each: the store
// removes no image that somebody holds.
type imageUses struct {
	mu   sync.Mutex
	held map[v1.Hash]*imageUse
}

type imageUse struct {
	file    *os.File // with the lock
	release func()
	users   int
}

// pin keeps what an image is made of, for as long as a container uses it.
func (e *Engine) pin(img *Image, u *undo) error {
	if s := img.origin().stored; s != nil {
		if err := e.useImage(s.Digest, u); err != nil {
			return err
		}
	}
	return e.pinSnapshots(img, u)
}

// useImage takes an image into use.
func (e *Engine) useImage(digest v1.Hash, u *undo) error {
	s, err := e.images()
	if err != nil {
		return err
	}
	uses := &e.state.uses
	uses.mu.Lock()
	defer uses.mu.Unlock()
	use := uses.held[digest]
	if use == nil {
		release, file, err := s.Use(digest)
		if err != nil {
			return imageError("image", digest.String(), err)
		}
		use = &imageUse{file: file, release: release}
		if uses.held == nil {
			uses.held = map[v1.Hash]*imageUse{}
		}
		uses.held[digest] = use
	}
	use.users++
	u.push(func() error {
		uses.mu.Lock()
		defer uses.mu.Unlock()
		if use.users--; use.users == 0 {
			delete(uses.held, digest)
			use.release()
		}
		return nil
	})
	return nil
}

// pinSnapshots keeps the snapshots that an image is made of.
func (e *Engine) pinSnapshots(img *Image, u *undo) error {
	if len(img.below) == 0 {
		return nil
	}
	dir, err := e.snapshots()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for _, id := range img.below {
		f, err := openDir(int(dir.Fd()), id, filepath.Join(dir.Name(), id))
		if err == nil {
			u.push(f.Close)
			err = sys.TryShare(f)
		}
		if err != nil {
			return &Error{"snapshot", id, err, "it has been removed"}
		}
	}
	return nil
}

// In the directory of a detached container symbolic links say what it stands on: there may be no program any more that
// holds a lock. One is called "image", and has the ID of that; the others "snapshot-" and the ID of one.
const (
	imageLink    = "image"
	snapshotLink = "snapshot-"
)

// detachable gives a container what it needs to outlive its program.
func (e *Engine) detachable(r *request, u *undo) error {
	dir, err := e.containerDir(r, u)
	if err != nil {
		return err
	}
	links := map[string]string{imageLink: r.from.origin().id}
	for _, id := range r.from.below {
		links[snapshotLink+id] = id
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return &Error{"symlink", filepath.Join(dir, name), err, ""}
		}
	}
	return nil
}

// standsOn tells whether a snapshot or a detached container that lives stands on an image. Where that cannot be
// told, something does.
func (e *Engine) standsOn(manifest v1.Hash) bool {
	return e.snapshotOn(manifest) || e.detachedOn(imageLink, manifest.String())
}

// detachedOn tells whether a detached container that lives has such a link.
func (e *Engine) detachedOn(link, target string) bool {
	room, err := e.enterRoom()
	if err != nil {
		return true
	}
	defer e.leaveRoom()
	entries, err := os.ReadDir(room.Name())
	return err != nil || slices.ContainsFunc(entries, func(c os.DirEntry) bool {
		got, err := os.Readlink(filepath.Join(room.Name(), c.Name(), link))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && got != target {
			return false
		}
		lock, err := lockDir(room, c.Name())
		if err == nil {
			_ = lock.Close() // nobody has it: the container is dead
		}
		return err != nil
	})
}
