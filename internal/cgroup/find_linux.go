package cgroup

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Find looks where this process sees groups.
func Find() (*Host, error) {
	const file = "/proc/self/mountinfo"
	f, err := os.Open(file)
	if err != nil {
		return nil, &Error{"open", file, err, "mount /proc"}
	}
	defer func() { _ = f.Close() }()
	h, err := parse(f)
	if err != nil {
		return nil, &Error{"open", file, err, ""}
	}
	h.own = func() (string, error) {
		b, err := os.ReadFile("/proc/self/cgroup")
		return string(b), err
	}
	return h, nil
}

// parse reads the trees from the text of /proc/PID/mountinfo; proc_pid_mountinfo(5). Of a tree that is
// mounted twice the first counts.
func parse(r io.Reader) (*Host, error) {
	mounts, err := mountinfo.GetMountsFromReader(r, mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, err
	}
	h := &Host{}
	seen := map[string]bool{}
	for _, m := range mounts {
		t := tree{mount: m.Mountpoint, root: m.Root, v2: m.FSType == "cgroup2"}
		key := "cgroup2"
		if !t.v2 {
			// Among the options of the filesystem are the names of its controllers.
			t.controllers = strings.Split(m.VFSOptions, ",")
			t.controllers = slices.DeleteFunc(t.controllers, func(o string) bool { return !slices.Contains(known(), o) })
			key = strings.Join(t.controllers, ",")
		}
		if seen[key] || key == "" {
			continue
		}
		seen[key] = true
		if t.v2 {
			h.trees = slices.Insert(h.trees, 0, t)
		} else {
			h.trees = append(h.trees, t)
		}
	}
	return h, nil
}

// known are the controllers of version 1 that are of use here.
func known() []string { return append(limited(), "cpuacct", "freezer") }
