package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"

	"github.com/caisson-go/caisson/internal/sys"
)

// survey is one look at what is in the host's root. It remembers all that its answers rest on.
type survey struct {
	want    struct{ below, parts bool } // what is mounted below directories, and the parts of these
	mounts  mountTable
	root    sys.Stamp
	hidden  map[string]bool
	shown   []string // directories that are shown
	taken   int      // how many names were taken apart
	watched map[string]watch
}

// watch is a file that was looked at.
type watch struct {
	sys.Stamp
	names bool // what is in it counts, not only what it is
}

// same tells whether the file is still as it was.
func (w *watch) same(path string) bool {
	st, err := sys.StampOf(path, w.names)
	if !w.names {
		st.Changed = w.Changed
	}
	return err == nil && st == w.Stamp
}

// look looks at a file, not remembering it.
func (s *survey) look(path string) (sys.Stamp, error) { return sys.StampOf(path, false) }

// keep remembers what kind of file a path is, and whose.
func (s *survey) keep(path string) (sys.Stamp, error) { return s.remember(path, false) }

// names remembers also which names are in the directory.
func (s *survey) names(dir string) (sys.Stamp, error) { return s.remember(dir, true) }

func (s *survey) remember(path string, names bool) (sys.Stamp, error) {
	w, known := s.watched[path]
	if known && (w.names || !names) {
		return w.Stamp, nil
	}
	st, err := sys.StampOf(path, names)
	if err == nil {
		s.watched[path] = watch{st, names}
	}
	return st, err
}

// secrets hides those that exist, and remembers where others would appear.
func (s *survey) secrets() error {
	for _, p := range secretPaths() {
		if err := s.hideTarget(p); err != nil {
			return err
		}
	}
	for _, name := range hostEmpty {
		if err := s.hideTarget("/" + name); err != nil {
			return err
		}
	}
	return nil
}

// hideTarget hides what a path leads to, if anything.
func (s *survey) hideTarget(p string) error {
	real, found, err := s.resolve(p, s.names)
	if err != nil || !found {
		return err
	}
	s.hide(real)
	if !slices.Contains(hostPassing, strings.TrimPrefix(p, "/")) {
		s.hideElsewhere(real)
	}
	return nil
}

// hideElsewhere hides a file or directory where another mount of its filesystem shows it: /data/home where that is
// bound to /home.
func (s *survey) hideElsewhere(p string) {
	st, err := s.look(p)
	if err != nil {
		return
	}
	own := slices.IndexFunc(s.mounts, func(i *mountinfo.Info) bool { return uint64(i.ID) == st.Mount })
	if own < 0 {
		return
	}
	from := s.mounts[own]
	inside := path.Join(from.Root, strings.TrimPrefix(p, from.Mountpoint))
	for _, i := range s.mounts {
		rest, ok := strings.CutPrefix(inside, strings.TrimSuffix(i.Root, "/"))
		if i == from || i.Major != from.Major || i.Minor != from.Minor || !ok || rest != "" && rest[0] != '/' {
			continue
		}
		at := path.Join(i.Mountpoint, rest)
		if other, err := s.look(at); err == nil && other.Device == st.Device && other.Inode == st.Inode {
			s.hide(at)
		}
	}
}

// hide keeps a path, in which there are no symbolic links, out of the container.
func (s *survey) hide(p string) {
	if p != "/" {
		s.hidden[p] = true
	}
}

// isHidden tells whether a path is hidden, or lies in a directory that is.
func (s *survey) isHidden(p string) bool {
	for ; p != "/"; p = path.Dir(p) {
		if s.hidden[p] {
			return true
		}
	}
	return false
}

// resolve follows the symbolic links of a path. If a name is missing it returns the path so far with that name,
// and false. It tells visit of every directory that it looks for a name in. A path that nobody could open leads
// nowhere, and so does one that this user may not look at: nor can the container.
func (s *survey) resolve(p string, visit func(dir string) (sys.Stamp, error)) (real string, found bool, err error) {
	dir, rest := "/", strings.Split(p, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			dir = path.Dir(dir)
			continue
		}
		if _, err := visit(dir); err != nil {
			return nowhere(err)
		}
		at := path.Join(dir, name)
		if w, known := s.watched[at]; known && w.IsDir() {
			dir = at
			continue
		}
		st, err := s.look(at)
		if errors.Is(err, fs.ErrNotExist) {
			return at, false, nil
		}
		if err != nil {
			return nowhere(err)
		}
		if !st.IsLink() {
			dir = at
			continue
		}
		target, err := os.Readlink(at)
		if err != nil {
			return nowhere(err)
		}
		if links++; links > maxLinks {
			return "", false, nil
		}
		if path.IsAbs(target) {
			dir = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return dir, true, nil
}

func nowhere(err error) (string, bool, error) {
	for _, harmless := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG} {
		if errors.Is(err, harmless) {
			return "", false, nil
		}
	}
	return "", false, err
}

// dirs are the directories that a container's layer has for those of the host: the ones shown, and those in which
// something is hidden.
func (s *survey) dirs() ([]HostDir, error) {
	need := map[string]bool{}
	for _, p := range s.shown {
		need[p] = true
	}
	for h := range s.hidden {
		if !s.isShown(h) {
			continue
		}
		for dir := path.Dir(h); dir != "/"; dir = path.Dir(dir) {
			need[dir] = true
		}
	}
	var list []HostDir
	for p := range need {
		st, err := s.keep(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, HostDir{p, fileMode(uint32(narrowed(p, st))), int(st.UID), int(st.GID)})
	}
	slices.SortFunc(list, func(a, b HostDir) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// isShown tells whether a path lies in a directory that is shown.
func (s *survey) isShown(p string) bool {
	for p = path.Dir(p); p != "/"; p = path.Dir(p) {
		if slices.Contains(s.shown, p) {
			return true
		}
	}
	return false
}

// narrowed is a directory's mode. If it has an access control list, the bits of the group are the most that
// anybody in the list has, and would be the group's where the list is missing; acl(5).
func narrowed(dir string, st sys.Stamp) uint16 {
	if n, err := syscall.Getxattr(dir, "system.posix_acl_access", nil); err == nil && n > 0 {
		return st.Mode &^ 0o070
	}
	return st.Mode
}
