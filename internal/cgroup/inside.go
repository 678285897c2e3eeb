package cgroup

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A limited group of a container has its limits in one group and its processes in another within it: a cgroup
// namespace begins at the group that its maker is in (cgroup_namespaces(7)), so whatever the program may mount,
// and whoever it is to the kernel, the files with its limits are not there. The filter of system calls refuses
// it the mount as well, but not where CAP_SYS_ADMIN was added to a container with a user namespace of its own.
// Version 2 refuses the writing where it is mounted with nsdelegate, which is not everywhere.
//
// In version 1 the group within has no limits: those above count what is below, in memory too since 5.11. In
// version 2 it has them once more, because programs look for theirs in /sys/fs/cgroup, which begins there.
const insideName = "caisson-inside"

// inside is the group within.
func (d dir) inside() dir { return d.dir(path.Join(d.name, insideName)) }

// Home is where the processes of a group that Nest makes are, by its path.
func Home(group string) string { return path.Join(group, insideName) }

// home is the directory of the group that processes are put into.
func (d dir) home() string {
	if in := d.inside(); isDir(in.path) {
		return in.path
	}
	return d.path
}

// makeInside makes the group within, in every tree.
func (g *Group) makeInside(l Limits) error {
	for _, d := range g.dirs {
		in := d.inside()
		if err := g.passInside(d, l); err != nil {
			return err
		}
		if err := os.Mkdir(in.path, 0o755); err != nil {
			return fail("mkdir", in.path, err)
		}
		for _, c := range l.controllers() {
			if err := d.show(c, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// passInside enables the controllers that a group of version 2 has limits of for the group within.
func (g *Group) passInside(d dir, l Limits) error {
	var list []string
	for _, c := range l.controllers() {
		if in, ok := g.dirOf(c); ok && in.v2 && d.v2 {
			list = append(list, c)
		}
	}
	if len(list) == 0 || write(filepath.Join(d.path, "cgroup.subtree_control"), "+"+strings.Join(list, " +")) == nil {
		return nil
	}
	return passOn(d.path, list) // one by one, which tells what is missing
}

// show writes the limits of a controller into the group within too, if there is one in version 2.
func (d dir) show(controller string, l Limits) error {
	in := d.inside()
	if !d.v2 || !isDir(in.path) {
		return nil
	}
	return in.set(controller, l.settings(controller, true), false) // a controller that came later is not enabled there
}
