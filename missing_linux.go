package caisson

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/environ"
	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// executeHint is a remedy for a program that could not be executed.
func (s *startup) executeHint(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		return s.missingHint()
	case syscall.EACCES:
		return "is it a directory, without permission to execute for this user, or on a mount with NoExec?"
	case syscall.ENOEXEC:
		return "not a program for this machine, or a script without #! line"
	case syscall.E2BIG:
		return "Args and Env are longer than the kernel takes; execve(2), \"Limits on size of arguments and environment\""
	}
	return ""
}

// missingHint tells apart what execve(2) calls by one name: a program that is not there, and one whose
// interpreter is not.
func (s *startup) missingHint() string {
	const interpreter = "by its #! line or ELF header"
	c := s.config
	for _, p := range c.Paths {
		switch {
		case s.holds(p):
			return printable(p) + " is there: is its interpreter, " + interpreter + ", in the root filesystem too?"
		case c.Root.Kind == plan.Composite && path.IsAbs(p) && !shows(&c.Root, p) && executable(os.Stat(p)):
			return "Engine.Host does not show " + printable(p) + ": bind it by Spec.Mounts"
		}
	}
	if strings.Contains(c.Args[0], "/") {
		return "is it in the root filesystem, and its interpreter, " + interpreter + ", too?"
	}
	dirs, _ := environ.Lookup(c.Env, "PATH")
	return "not found in PATH=" + printable(shorten(dirs)) + "; set PATH in Env, or name the program with its directory"
}

// holds tells whether a program is in the root filesystem, as far as that can be seen without entering it: in one
// of the image's directories, which are only looked into from their own root. What a container that runs has made
// of its files is not looked at.
func (s *startup) holds(p string) bool {
	c := s.config
	covered := slices.ContainsFunc(c.Mounts, func(m plan.Mount) bool { return p == m.Target || strings.HasPrefix(p, m.Target+"/") })
	if !path.IsAbs(p) || covered || s.inside != nil {
		return false
	}
	var dirs []string
	switch mode := c.Namespaces.Mount.Mode; {
	case mode == plan.Host:
		dirs = []string{"/"}
	case mode == plan.New && c.Root.Kind == plan.Layers:
		dirs = c.Root.Lower
	case mode == plan.New && shows(&c.Root, p):
		dirs = []string{"/"}
	}
	return slices.ContainsFunc(dirs, func(dir string) bool { return executableIn(dir, p) })
}

func executableIn(dir, p string) bool {
	root, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }()
	f, err := inroot.Open(root, p, sys.O_PATH, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return executable(f.Stat())
}

func executable(info fs.FileInfo, err error) bool {
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// shows tells whether a root of the host's directories has those in which a path lies.
func shows(r *plan.Root, p string) bool {
	p = path.Clean(p)
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	i := slices.IndexFunc(r.Entries, func(e plan.Entry) bool { return e.Name == first })
	if i < 0 || r.Entries[i].Kind == plan.EntryEmpty {
		return false
	}
	return !slices.ContainsFunc(r.Hidden, func(h string) bool { return p == h || strings.HasPrefix(p, h+"/") })
}
