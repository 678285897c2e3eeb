package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Group is a cgroup: a directory in each of the trees that it needs.
type Group struct {
	dirs   []dir
	nested bool // the group above is removed with the last one in it
}

// dir is a group in one tree.
type dir struct {
	tree
	name string // relative to the tree's mount
	path string
}

func (t tree) dir(name string) dir { return dir{t, name, filepath.Join(t.mount, name)} }

// Make makes a group and applies limits to it. It is made in every tree that this package has a use for.
// The group above it must exist.
func (h *Host) Make(name string, l Limits) (*Group, error) {
	name, err := checkName(name)
	if err != nil {
		return nil, err
	}
	if err := l.Check(); err != nil {
		return nil, err
	}
	if _, err := h.treesOf(l.controllers()); err != nil {
		return nil, err
	}
	trees := h.all()
	if len(trees) == 0 {
		return nil, &Error{"mkdir", name, errors.ErrUnsupported, "no cgroup hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup"}
	}
	g, err := makeLimited(trees, name, l)
	return g, forUsers(trees, err)
}

// Open finds a group that exists, in the trees that have it.
func (h *Host) Open(name string) (*Group, error) {
	name, err := checkName(name)
	if err != nil {
		return nil, err
	}
	g := &Group{}
	for _, t := range h.trees {
		if d := t.dir(name); isDir(d.path) {
			g.dirs = append(g.dirs, d)
		}
	}
	if len(g.dirs) == 0 {
		return nil, &Error{"open", name, fs.ErrNotExist, "give the path below the root of the hierarchy, as /proc/PID/cgroup has it"}
	}
	return g, nil
}

// makeLimited makes a group in the given trees. On error nothing is left.
func makeLimited(trees []tree, name string, l Limits) (*Group, error) {
	g := &Group{}
	for _, t := range trees {
		d := t.dir(name)
		if err := os.Mkdir(d.path, 0o755); err != nil {
			g.rmdir()
			return nil, fail("mkdir", d.path, err)
		}
		g.dirs = append(g.dirs, d)
	}
	if err := g.limit(l, l.controllers()); err != nil {
		g.rmdir()
		return nil, err
	}
	return g, nil
}

// rmdir takes back what has just been made.
func (g *Group) rmdir() {
	for _, d := range g.dirs {
		if g.nested {
			_ = syscall.Rmdir(d.inside().path)
		}
		_ = syscall.Rmdir(d.path)
	}
}

// Name is the group's path below the root of its hierarchies, as Open takes it.
func (g *Group) Name() string { return g.dirs[0].name }

// Path is the directory with a controller's files, or "" if the group is not in its tree. The empty name
// stands for version 2 itself.
func (g *Group) Path(controller string) string {
	d, _ := g.dirOf(controller)
	return d.path
}

// dirOf is where a controller works: in its own tree of version 1, else in version 2.
func (g *Group) dirOf(controller string) (dir, bool) {
	for _, d := range g.dirs {
		if slices.Contains(d.controllers, controller) {
			return d, true
		}
	}
	return g.unified()
}

// unified is the group in version 2.
func (g *Group) unified() (dir, bool) {
	for _, d := range g.dirs {
		if d.v2 {
			return d, true
		}
	}
	return dir{}, false
}

// Directory opens the group of version 2 for clone(2) to start processes in, CLONE_INTO_CGROUP. It is nil
// if the group is in version 1 alone.
func (g *Group) Directory() (*os.File, error) {
	d, ok := g.unified()
	if !ok {
		return nil, nil
	}
	home := d.home()
	f, err := os.Open(home)
	return f, fail("open", home, err)
}

// Tasks are the files of version 1 to which a thread writes "0" to join. Unlike cgroup.procs they take
// no lock that waits for every processor to pass a quiet point, which is 10 ms.
func (g *Group) Tasks() []string {
	var list []string
	for _, d := range g.dirs {
		if !d.v2 {
			list = append(list, filepath.Join(d.home(), "tasks"))
		}
	}
	return list
}

// Add moves a process, with all its threads, into the group.
func (g *Group) Add(pid int) error {
	if pid <= 0 {
		return &Error{"join", "process " + strconv.Itoa(pid), syscall.ESRCH, "give the number of a process; os.Getpid for this one"}
	}
	for _, d := range g.dirs {
		file := filepath.Join(d.home(), "cgroup.procs")
		if err := write(file, strconv.Itoa(pid)); err != nil {
			return fail("join", file, err)
		}
	}
	return nil
}

// Procs lists the processes in the group and in the groups below it. Processes that this pid namespace
// does not see are left out.
func (g *Group) Procs() ([]int, error) {
	var list []int
	for _, d := range g.dirs {
		pids, err := d.procs()
		if err != nil {
			return nil, err
		}
		list = append(list, pids...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func (d dir) procs() ([]int, error) {
	var list []int
	err := filepath.WalkDir(d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return unlessBelow(d.path, path, err)
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return unlessBelow(d.path, path, err)
		}
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 { // 0 is one of another pid namespace
				list = append(list, pid)
			}
		}
		return nil
	})
	return list, fail("open", d.path, err)
}

// unlessBelow forgives what is said of a group below: it may have been removed meanwhile, and one of
// threads alone (EOPNOTSUPP) has its processes listed above.
func unlessBelow(top, path string, err error) error {
	if path != top && (gone(err) || errors.Is(err, errors.ErrUnsupported)) {
		return nil
	}
	return err
}

// write writes a string to a file that exists, in one system call.
func write(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
