package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// Many programs, and many groups of each, share one group above them. It is made with the first and
// removed with the last: whoever removes a group tries to remove the one above, which the kernel refuses
// while there is another in it. So a group above may go between making it and making the one in it.

// Nest makes a limited group in the group parent, only in the trees that the limits need, with a group inside
// for the processes; see inside. parent is below
// the root of each, or, for an ordinary user, below the nearest of the groups above its own in version 2
// in which it may make groups: one that was delegated to it.
func (h *Host) Nest(parent, name string, l Limits) (*Group, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	trees, err := h.treesOf(l.controllers())
	if err != nil {
		return nil, err
	}
	g, err := nest(trees, parent, name, l)
	if !errors.Is(err, fs.ErrPermission) || len(trees) != 1 || !trees[0].v2 {
		return g, forUsers(trees, err)
	}
	for _, base := range h.above(trees[0]) {
		if g, err := nest(trees, path.Join(base, parent), name, l); err == nil {
			return g, nil
		}
	}
	return nil, err // what hindered at the root tells most
}

// attempts bounds how often others may remove the group above in between.
const attempts = 100

func nest(trees []tree, parent, name string, l Limits) (*Group, error) {
	g := &Group{nested: true}
	for _, t := range trees {
		g.dirs = append(g.dirs, t.dir(path.Join(parent, name)))
	}
	var made *Group
	var err error
	for range attempts {
		if err = g.makeAbove(); err != nil {
			break
		}
		if made, err = makeLimited(trees, path.Join(parent, name), l); !gone(err) {
			break
		}
	}
	if err != nil {
		g.removeAbove()
		return nil, err
	}
	made.nested = true
	if err := made.makeInside(l); err != nil {
		made.rmdir()
		g.removeAbove()
		return nil, err
	}
	return made, nil
}

// makeAbove makes the groups that the group's directories are in.
func (g *Group) makeAbove() error {
	for _, d := range g.dirs {
		above := filepath.Dir(d.path)
		if err := os.Mkdir(above, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fail("mkdir", above, err)
		}
	}
	return nil
}

// removeAbove removes them if nothing else is in them.
func (g *Group) removeAbove() {
	for _, d := range g.dirs {
		_ = syscall.Rmdir(filepath.Dir(d.path))
	}
}

// Nested finds what Nest made, by whichever program: a group in the trees that have it, or in none.
func (h *Host) Nested(parent, name string) *Group {
	g := &Group{nested: true}
	for _, t := range h.trees {
		if d := t.dir(path.Join(parent, name)); isDir(d.path) {
			g.dirs = append(g.dirs, d)
		}
	}
	if t, ok := h.unified(); ok && len(g.dirs) == 0 && os.Geteuid() != 0 {
		// The program may have run elsewhere in the tree than this one.
		g.dirs = t.search(parent, name)
	}
	return g
}

// search looks for a group everywhere.
func (t tree) search(parent, name string) []dir {
	var list []dir
	_ = filepath.WalkDir(t.mount, func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || filepath.Base(at) != name || filepath.Base(filepath.Dir(at)) != parent {
			return nil // one that cannot be looked into is not this user's
		}
		rel, err := filepath.Rel(t.mount, at)
		if err == nil {
			list = append(list, t.dir(filepath.ToSlash(rel)))
		}
		return filepath.SkipDir
	})
	return list
}
