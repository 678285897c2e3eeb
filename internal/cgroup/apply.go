package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Apply makes the group's limits these. What is zero is lifted.
func (g *Group) Apply(l Limits) error {
	if err := l.Check(); err != nil {
		return err
	}
	return g.limit(l, limited())
}

// limit applies the limits of some controllers.
func (g *Group) limit(l Limits, controllers []string) error {
	need := l.controllers()
	if err := g.enable(need); err != nil {
		return err
	}
	for _, c := range controllers {
		d, ok := g.dirOf(c)
		if !ok {
			continue // it is not needed, or enable would have said so
		}
		needed := slices.Contains(need, c)
		err := d.set(c, l.settings(c, d.v2), needed)
		if d.v2 && errors.Is(err, errors.ErrUnsupported) {
			// cgroup.subtree_control shows a controller that somebody else is just enabling before its
			// files are there. Enabling it again waits for that.
			_ = write(filepath.Join(filepath.Dir(d.path), "cgroup.subtree_control"), "+"+c)
			err = d.set(c, l.settings(c, d.v2), needed)
		}
		if err == nil {
			err = d.show(c, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// set writes the settings of a controller. Where the files of one that is not needed are missing, there is
// no limit to lift.
func (d dir) set(controller string, settings []setting, needed bool) error {
	for _, s := range settings {
		file := filepath.Join(d.path, s.file)
		err := write(file, s.value)
		absent := errors.Is(err, fs.ErrNotExist) && isDir(d.path)
		switch {
		case absent && (s.optional || !needed):
		case errors.Is(err, syscall.EINVAL) && s.try:
		case absent:
			return missing(controller, d.path)
		case err != nil:
			return fail("limit", file, err)
		}
	}
	return nil
}

// enable has the controllers work in the group: in version 2 the groups above must pass them on.
func (g *Group) enable(controllers []string) error {
	var wanted []string
	for _, c := range controllers {
		d, ok := g.dirOf(c)
		switch {
		case !ok:
			return &Error{"enable", c, fmt.Errorf("the group is not in the hierarchy of %s: %w", c, fs.ErrNotExist),
				"a group that NewCgroup made is in all of them"}
		case d.v2:
			wanted = append(wanted, c)
		}
	}
	d, ok := g.unified()
	if !ok || len(wanted) == 0 {
		return nil
	}
	if have := words(d.path, "cgroup.controllers"); contains(have, wanted) {
		return nil
	}
	for _, above := range d.above() {
		if err := passOn(above, wanted); err != nil {
			return err
		}
	}
	return nil
}

// above are the groups above one, from the root of the tree down.
func (d dir) above() []string {
	list := []string{d.mount}
	for i, r := range d.name {
		if r == '/' {
			list = append(list, filepath.Join(d.mount, d.name[:i]))
		}
	}
	return list
}

// passOn enables controllers for the groups below one.
func passOn(dir string, controllers []string) error {
	have := words(dir, "cgroup.subtree_control")
	for _, c := range controllers {
		if slices.Contains(have, c) {
			continue
		}
		file := filepath.Join(dir, "cgroup.subtree_control")
		err := write(file, "+"+c)
		if err != nil && !slices.Contains(words(dir, "cgroup.controllers"), c) {
			return missing(c, dir)
		}
		if err != nil {
			return fail("enable", file, err)
		}
	}
	return nil
}

// words are the words of a file, none if it cannot be read.
func words(dir, file string) []string {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

func contains(have, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(have, w) })
}

// OOMKills is how many processes of the group the kernel killed because the memory limit was reached. It
// counts before it kills, so that who has waited for the process finds it counted.
func (g *Group) OOMKills() int64 {
	d, ok := g.dirOf("memory")
	if !ok {
		return 0
	}
	if d.v2 {
		return count(words(d.path, "memory.events"), "oom_kill") // the groups below included
	}
	n := count(words(d.path, "memory.oom_control"), "oom_kill")
	if home := d.home(); home != d.path {
		n += count(words(home, "memory.oom_control"), "oom_kill")
	}
	return n
}

// count is the number behind a word.
func count(words []string, key string) int64 {
	i := slices.Index(words, key)
	if i < 0 || i+1 == len(words) {
		return 0
	}
	var n int64
	_, _ = fmt.Sscan(words[i+1], &n)
	return n
}
