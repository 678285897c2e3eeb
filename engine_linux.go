package caisson

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// hostSupport is what the host can do, found out once and corrected by what failed since.
func (e *Engine) hostSupport() (*Support, error) {
	st := &e.state
	st.support.Do(func() { st.host, st.hostErr = e.detect() })
	if st.hostErr != nil {
		return nil, st.hostErr
	}
	sup := *st.host
	st.kernelMu.Lock()
	defer st.kernelMu.Unlock()
	if st.kernel != nil {
		sup.Kernel = *st.kernel
	}
	return &sup, nil
}

// learn turns off the newest optional ability that a failed start used, and tells whether there was
// one. Trying is the only way to know: overlay accepts any parameter before 6.5 and complains, if at all,
// when it is created.
func (e *Engine) learn(err error, sup *Support) bool {
	var step *Error
	if !errors.As(err, &step) || step.Op != "overlay" || errors.Is(err, syscall.EPERM) {
		return false
	}
	k := &sup.Kernel
	switch {
	case k.OverlayLowerAdd:
		k.OverlayLowerAdd = false
	case k.OverlayFsconfig:
		k.OverlayFsconfig = false
	default:
		return false
	}
	e.state.kernelMu.Lock()
	defer e.state.kernelMu.Unlock()
	learnt := *k
	e.state.kernel = &learnt
	return true
}

// fill completes a request with the image: its root filesystem, its settings, and who the program is.
func (e *Engine) fill(r *request, img *Image, u *undo) error {
	id := img.id
	r.from, r.image = img, img.config
	if err := e.pin(img, u); err != nil {
		return err
	}
	dir, isDir := directory(id)
	switch {
	case id == hostImage:
		n, err := r.userNamespace()
		if err != nil {
			return err
		}
		if r.root, err = e.hostRoot(n.Mode != plan.UserHost); err != nil {
			return err
		}
		dir = "/"
	case isDir:
		r.root = plan.Root{Lower: []string{dir}}
	default:
		r.root, dir = plan.Root{Lower: img.layers}, ""
	}
	var err error
	if dir != "" {
		r.identity, err = identityIn(dir, r.userName(), r.spec.Groups)
	} else {
		r.identity, err = identityOf(img.layers, r.userName(), r.spec.Groups)
	}
	if err != nil {
		return identityError(r.userName(), err)
	}
	if r.root.Kind == plan.Layers {
		return e.writable(r, u)
	}
	return nil
}

// choose is the image that a spec names, which is the one at hand mostly, ready to be mounted.
func (e *Engine) choose(ctx context.Context, img *Image, id string) (*Image, error) {
	if img == nil || img.id != id {
		var err error
		if img, err = e.find(id); err != nil {
			return nil, err
		}
	}
	return e.unpacked(ctx, img)
}

// find is the image of an ID.
func (e *Engine) find(id string) (*Image, error) {
	if id == hostImage {
		return e.Host(), nil
	}
	if dir, ok := directory(id); ok {
		return e.RootFS(dir)
	}
	if id == "" {
		return nil, errNoImage
	}
	if id, ok := strings.CutPrefix(id, snapshotImage); ok {
		s, err := e.openSnapshot(id)
		if err != nil {
			return nil, err
		}
		return s.image, nil
	}
	return e.stored(id)
}

// identityIn finds who a user is by the passwd and group file of a directory.
func identityIn(dir, user string, groups []string) (account.Identity, error) {
	f, err := sys.OpenBlocking(dir, sys.O_PATH)
	if err != nil {
		return account.Identity{}, err
	}
	defer func() { _ = f.Close() }()
	return account.Resolve(f, user, groups)
}

// writable makes the directory of the container, with its writable layer. A filesystem that overlay
// cannot write to, such as another overlay, is replaced by memory.
func (e *Engine) writable(r *request, u *undo) error {
	dir, err := e.containerDir(r, u)
	if err != nil {
		return err
	}
	state, err := e.dir()
	if err != nil {
		return err
	}
	if r.root.MountPoints, err = e.state.points.open(state); err != nil {
		return err
	}
	r.empty = e.emptyNamespace(r.support, u)
	r.root.Upper, r.root.Work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{"upper", "work"} {
		if err := sys.Mkdirat(int(r.lock.Fd()), d, 0o755); err != nil {
			return &Error{"mkdir", filepath.Join(dir, d), err, ""}
		}
	}
	return nil
}
