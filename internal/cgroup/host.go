package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Host is where the groups of a machine are, as this process sees them.
type Host struct {
	trees []tree                 // that of version 2, if there is one, first
	own   func() (string, error) // the text of /proc/self/cgroup
}

// tree is one mounted hierarchy.
type tree struct {
	mount       string // where it is mounted
	root        string // the group that is seen there: "/", or another in a container
	v2          bool
	controllers []string // of version 1; those of version 2 differ from group to group
}

// unified is the tree of version 2.
func (h *Host) unified() (tree, bool) {
	if len(h.trees) > 0 && h.trees[0].v2 {
		return h.trees[0], true
	}
	return tree{}, false
}

// treeOf is the tree in which a controller works. One that version 1 has mounted is not in version 2;
// cgroups(7). Whether version 2 has it shows when it is to be enabled.
func (h *Host) treeOf(controller string) (tree, error) {
	for _, t := range h.trees {
		if slices.Contains(t.controllers, controller) {
			return t, nil
		}
	}
	if t, ok := h.unified(); ok {
		return t, nil
	}
	return tree{}, missing(controller, "/sys/fs/cgroup")
}

// missing reports a controller that is not to be had.
func missing(controller, where string) error {
	return &Error{"enable", where, fmt.Errorf("no controller %q: %w", controller, errors.ErrUnsupported),
		"boot without cgroup_disable=" + controller + ", or with cgroup_enable=" + controller +
			"; within a container, have the outer one delegate the controller"}
}

// treesOf are the trees of controllers, each once.
func (h *Host) treesOf(controllers []string) ([]tree, error) {
	var list []tree
	for _, c := range controllers {
		t, err := h.treeOf(c)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(o tree) bool { return o.mount == t.mount }) {
			list = append(list, t)
		}
	}
	return list, nil
}

// all are the trees in which a group that can do everything is: version 2, of which killing and freezing
// need no controller, and those that version 1 has of the controllers used here.
func (h *Host) all() []tree {
	wanted := append(limited(), "cpuacct")
	if _, ok := h.unified(); !ok {
		wanted = append(wanted, "freezer")
	}
	var list []tree
	for _, t := range h.trees {
		if t.v2 || slices.ContainsFunc(t.controllers, func(c string) bool { return slices.Contains(wanted, c) }) {
			list = append(list, t)
		}
	}
	return list
}

// above are the names of the groups above this process's own in version 2, the nearest first, without the
// root. Its own is not one of them: a group with processes cannot have limited ones below it.
func (h *Host) above(t tree) []string {
	text, err := h.own()
	if err != nil {
		return nil
	}
	own := ownGroup(text)
	rel, err := filepath.Rel(t.root, own)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") || strings.HasPrefix(own, "/..") {
		return nil // the mount, or the cgroup namespace, shows another part of the tree
	}
	var list []string
	for rel = path.Dir(rel); rel != "." && rel != "/"; rel = path.Dir(rel) {
		list = append(list, rel)
	}
	return list
}

// ownGroup finds the group of version 2 in the text of /proc/PID/cgroup. Its lines are
// hierarchy:controllers:path, and that of version 2 is 0::path; cgroups(7).
func ownGroup(text string) string {
	for line := range strings.Lines(text) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return p
		}
	}
	return "/"
}

// checkName refuses what does not name a group below the root.
func checkName(name string) (string, error) {
	name = strings.TrimPrefix(name, "/") // as /proc/PID/cgroup has it
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\x00\n") {
		return "", &Error{"open", name, errors.New("not the name of a cgroup"), "give a path below the root of the hierarchy, such as jobs/1"}
	}
	return name, nil
}

// isDir tells whether a path is a directory.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
