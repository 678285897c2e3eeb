package caisson

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// mount tries the newest way first: parameters one by one, then one string.
func (o *Overlay) mount(target string) error {
	u := plan.Overlay{Volatile: o.Volatile}
	var err error
	for _, l := range o.Lower {
		if l, err = filepath.Abs(l); err != nil {
			return err
		}
		u.Lower = append(u.Lower, l)
	}
	if o.Upper != "" {
		if u.Upper, err = filepath.Abs(o.Upper); err != nil {
			return err
		}
		if u.Work, err = filepath.Abs(o.Work); err != nil {
			return err
		}
	}
	for _, f := range []plan.Features{{OverlayFsconfig: true, OverlayLowerAdd: true}, {OverlayFsconfig: true}} {
		params, ok := u.Params(f)
		if !ok {
			continue
		}
		err = sys.MountParams("overlay", target, params)
		if err == nil || !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EOPNOTSUPP) {
			return err
		}
	}
	return sys.MountOptions("overlay", target, u.Options())
}

func unmount(target string) error { return sys.Detach(target) }

func overlayHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or let Engine mount it in a user namespace"
	case errors.Is(err, syscall.EINVAL):
		return "the filesystem of a layer cannot be one, or the list of layers is too long for this kernel"
	}
	return ""
}
