package probe

import (
	"path"
	"slices"
	"strings"
)

// Where the cgroup hierarchies are mounted, and where in them this program is; cgroups(7).

// hierarchy is one mounted hierarchy.
type hierarchy struct {
	version int
	top     string // the mount point
	own     string // this program's own directory, top if it is not to be seen there
	options string // of the mount; version 1 names the controllers among them
	flags   string // of the mount point: "ro" or "rw" first
}

func (h *Host) hierarchies() []hierarchy {
	own := h.ownCgroups()
	var list []hierarchy
	for _, m := range h.mounts() {
		y := hierarchy{top: m.point, options: m.super, flags: m.options}
		switch m.kind {
		case "cgroup2":
			y.version, y.own = 2, below(m, own[""])
		case "cgroup":
			y.version, y.own = 1, m.point
			for name, at := range own {
				if name != "" && has(m.super, name) {
					y.own = below(m, at)
				}
			}
		default:
			continue
		}
		list = append(list, y)
	}
	return list
}

// has tells whether a list separated by commas has a word.
func has(list, word string) bool { return slices.Contains(strings.Split(list, ","), word) }

// below is where a cgroup is in the file tree. A mount may show only a part of its hierarchy.
func below(m mount, cgroup string) string {
	if m.root == "/" {
		return path.Join(m.point, cgroup)
	}
	if rest, ok := strings.CutPrefix(cgroup+"/", m.root+"/"); ok {
		return path.Join(m.point, rest)
	}
	return m.point
}

// ownCgroups are this program's cgroups by controller, "" for version 2. A line of /proc/self/cgroup is
// number:controllers:path.
func (h *Host) ownCgroups() map[string]string {
	own := map[string]string{}
	for line := range strings.Lines(h.read("/proc/self/cgroup")) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		for _, c := range strings.Split(part[1], ",") {
			own[c] = part[2]
		}
	}
	return own
}

// cgroupMode is "v2" where there is nothing else, "v1", "hybrid" for both, and "" for none.
func cgroupMode(list []hierarchy) string {
	seen := map[int]bool{}
	for _, y := range list {
		seen[y.version] = true
	}
	switch {
	case seen[1] && seen[2]:
		return "hybrid"
	case seen[2]:
		return "v2"
	case seen[1]:
		return "v1"
	}
	return ""
}

// find is the hierarchy of a version, for version 1 the one with a controller.
func find(list []hierarchy, version int, controller string) (hierarchy, bool) {
	for _, y := range list {
		if y.version == version && (version == 2 || has(y.options, controller)) {
			return y, true
		}
	}
	return hierarchy{}, false
}

// places are where in version 2 containers' cgroups could be: below the root of the hierarchy, or, for an
// ordinary user, below a cgroup above its own that was delegated to it, the nearest first. Its own has
// processes, and such a one cannot have limited cgroups in it; cgroup-v2.rst, "No Internal Process Constraint".
func (y hierarchy) places() []string {
	list := []string{y.top}
	if !strings.HasPrefix(y.own, y.top+"/") {
		return list
	}
	for dir := path.Dir(y.own); dir != y.top; dir = path.Dir(dir) {
		list = append(list, dir)
	}
	return list
}

// describe lists what is mounted where, with the controllers.
func (h *Host) describe(list []hierarchy) string {
	var parts, one []string
	for _, y := range list {
		switch {
		case y.version == 2:
			parts = append(parts, strings.TrimSpace("v2 on "+y.top+": "+h.read(y.own+"/cgroup.controllers")))
		case !strings.Contains(y.options, "name="):
			one = append(one, strings.TrimPrefix(y.options, "rw,"))
		}
	}
	if len(one) > 0 {
		parts = append(parts, "v1: "+strings.Join(one, " "))
	}
	return strings.Join(parts, "; ")
}
