package testneed

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cgroupV1 finds a directory of the controller's own hierarchy in which a cgroup can be made.
func cgroupV1(controller string) (string, error) {
	return find("cgroup", controller, nil)
}

// cgroupV2 finds a directory of the unified hierarchy in which a cgroup can be made.
func cgroupV2(controllers []string) (string, error) {
	return find("cgroup2", "", controllers)
}

// find walks from this process's own cgroup up to the mount point, and takes the first directory that will do. It is not
// cached: a test may have moved the process.
func find(fstype, v1 string, v2 []string) (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	top, root := cgroupMount(string(mounts), fstype, v1)
	if top == "" {
		return "", fmt.Errorf("no %s hierarchy is mounted%s", fstype, forController(v1))
	}
	rel, err := filepath.Rel(root, ownCgroup(string(own), v1))
	if err != nil || strings.HasPrefix(rel, "..") {
		rel = "." // the mount shows another part of the tree than ours
	}
	for dir := filepath.Join(top, rel); ; dir = filepath.Dir(dir) {
		if err = usable(dir, v2); err == nil {
			return dir, nil
		}
		if dir == top {
			return "", err
		}
	}
}

func forController(name string) string {
	if name == "" {
		return ""
	}
	return " for " + name
}

// cgroupMount returns the mount point and the root within the hierarchy of the first fitting mount (proc_pid_mountinfo(5):
// id, parent, device, root, mount point, options, optional fields, "-", type, source, super options).
func cgroupMount(mountinfo, fstype, controller string) (dir, root string) {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 || g[0] != fstype {
			continue
		}
		if controller == "" || slices.Contains(strings.Split(g[2], ","), controller) {
			return f[4], f[3]
		}
	}
	return "", ""
}

// ownCgroup returns this process's cgroup in the hierarchy of the v1 controller, or in the unified one for "". The lines
// of /proc/self/cgroup are hierarchy:controllers:path, and the unified one is 0::path (cgroups(7)).
func ownCgroup(cgroups, controller string) string {
	for line := range strings.Lines(cgroups) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) == 3 && slices.Contains(strings.Split(part[1], ","), controller) {
			return part[2]
		}
	}
	return "/"
}

// usable reports why no cgroup with these controllers can be made in the directory, if so.
func usable(dir string, controllers []string) error {
	if len(controllers) > 0 {
		have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			return err
		}
		for _, c := range controllers {
			if !slices.Contains(strings.Fields(string(have)), c) {
				return fmt.Errorf("%s does not have the controller %s", dir, c)
			}
		}
	}
	trial, err := os.MkdirTemp(dir, "testneed-")
	if err != nil {
		return err
	}
	return os.Remove(trial)
}
