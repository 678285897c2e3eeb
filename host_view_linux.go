package caisson

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// hostView is what Engine.Host shows, and what that was concluded from. To look takes half a millisecond; to see that
// nothing has changed since takes a thirtieth of that, so every start does.
type hostView struct {
	entries []HostEntry
	hidden  []string
	dirs    []HostDir
	root    plan.Root
	state   string // the state directory
	mounts  string // sys.MountMark
	watched map[string]watch
	begun   time.Time
	settled bool // a change since would show
}

// hostViews are an engine's views of its host: without and with the parts of directories that a user namespace needs.
type hostViews struct {
	mu   sync.Mutex
	last [2]atomic.Pointer[hostView]
}

// hostRoot is the root filesystem of Engine.Host, as the host is now.
func (e *Engine) hostRoot(userNamespace bool) (plan.Root, error) {
	v, err := e.hostView(userNamespace)
	if err != nil {
		return plan.Root{}, err
	}
	return v.root, nil
}

func (e *Engine) hostView(userNamespace bool) (*hostView, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	views := &e.state.views
	last := &views.last[0]
	if userNamespace {
		last = &views.last[1]
	}
	if v := last.Load(); v != nil && v.current(dir) {
		return v, nil
	}
	asked := time.Now()
	views.mu.Lock()
	defer views.mu.Unlock()
	if v := last.Load(); v != nil && v.begun.After(asked) {
		return v, nil // somebody else has looked meanwhile
	}
	s := &survey{}
	s.want.below, s.want.parts = !userNamespace, userNamespace
	v, err := s.view(dir)
	if err != nil {
		return nil, err
	}
	last.Store(v)
	return v, nil
}

// view looks at the host.
func (s *survey) view(stateDir string) (v *hostView, err error) {
	defer func() {
		var known *Error
		if err != nil && !errors.As(err, &known) {
			err = &Error{"open", "/", err, "Engine.Host must know what it shows, and what it hides"}
		}
	}()
	v = &hostView{begun: time.Now()}
	s.hidden, s.watched = map[string]bool{}, map[string]watch{}
	if v.mounts, err = sys.MountMark(); err != nil {
		return nil, err
	}
	if s.mounts, err = readMounts(); err != nil {
		return nil, err
	}
	if s.root, err = s.names("/"); err != nil {
		return nil, err
	}
	if v.state, err = stateDirectory(stateDir); err != nil {
		return nil, err
	}
	s.hide(v.state) // also if it is yet to be made, perhaps while the container runs
	s.hideElsewhere(v.state)
	if err = s.secrets(); err != nil {
		return nil, err
	}
	if v.entries, err = s.entries(); err != nil {
		return nil, err
	}
	if v.dirs, err = s.dirs(); err != nil {
		return nil, err
	}
	for p := range s.hidden {
		v.hidden = append(v.hidden, p)
	}
	slices.Sort(v.hidden)
	v.watched = s.watched
	v.settled = settled(v.watched, v.begun)
	v.root = hostRoot(&Support{HostRoot: v.entries, HostHidden: v.hidden, HostDirs: v.dirs})
	return v, nil
}

// stateDirectory is the place of a state directory without symbolic links, or the first name on the way there
// that is missing; "/" if there is no way.
func stateDirectory(dir string) (string, error) {
	var s survey
	real, _, err := s.resolve(dir, func(string) (sys.Stamp, error) { return sys.Stamp{}, nil })
	switch {
	case err != nil:
		return "", err
	case real == "/":
		return "", &Error{"open", dir, errors.New("the state directory is the root directory, which Engine.Host shows"), "set Engine.Dir to a directory of its own"}
	case real == "":
		return "/", nil
	}
	return real, nil
}

// settled tells whether a change after a look would be seen in the times of the directories: not if one changed
// so shortly before it that a second change could have the same time. Times are as fine as the kernel's clock
// tick, or whole seconds in old filesystems.
func settled(watched map[string]watch, look time.Time) bool {
	for _, w := range watched {
		grain := 100 * time.Millisecond
		if w.Changed%1e9 == 0 {
			grain = 2 * time.Second
		}
		if w.names && time.Unix(0, w.Changed).Add(grain).After(look) {
			return false
		}
	}
	return true
}

// current tells whether the host is still as it was.
func (v *hostView) current(stateDir string) bool {
	if !v.settled {
		return false
	}
	if mounts, err := sys.MountMark(); err != nil || mounts != v.mounts {
		return false
	}
	if state, err := stateDirectory(stateDir); err != nil || state != v.state {
		return false
	}
	for path, w := range v.watched {
		if !w.same(path) {
			return false
		}
	}
	return true
}

// showHost fills in how Engine.Host shows this host, for any kind of container.
func (e *Engine) showHost(sup *Support) error {
	dir, err := e.dir()
	if err != nil {
		return err
	}
	s := &survey{}
	s.want.below, s.want.parts = true, true
	v, err := s.view(dir)
	if err == nil {
		sup.HostRoot, sup.HostHidden, sup.HostDirs = v.entries, v.hidden, v.dirs
	}
	return err
}
