package caisson

import (
	"os"
	"path/filepath"
	"slices"
	"sync"

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

// imageLink is the name of a symbolic link in the directory of a detached container that says which image it uses:
// there may be no program any more that holds the lock.
const imageLink = "image"

// detachable gives a container what it needs to outlive its program.
func (e *Engine) detachable(r *request, u *undo) error {
	dir, err := e.containerDir(r, u)
	if err != nil {
		return err
	}
	if err := os.Symlink(r.from.origin().id, filepath.Join(dir, imageLink)); err != nil {
		return &Error{"symlink", filepath.Join(dir, imageLink), err, ""}
	}
	return nil
}

// standsOn tells whether a snapshot or a detached container that lives stands on an image.
func (e *Engine) standsOn(manifest v1.Hash) bool {
	if e.snapshotOn(manifest) {
		return true
	}
	room, err := e.enterRoom()
	if err != nil {
		return false
	}
	defer e.leaveRoom()
	links, _ := filepath.Glob(filepath.Join(room.Name(), "*", imageLink))
	return slices.ContainsFunc(links, func(link string) bool {
		image, err := os.Readlink(link)
		if err != nil || image != manifest.String() {
			return false
		}
		lock, err := lockDir(room, filepath.Base(filepath.Dir(link)))
		if err == nil {
			_ = lock.Close() // nobody has it: the container is dead
		}
		return err != nil
	})
}
