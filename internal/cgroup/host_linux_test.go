package cgroup

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	onlyV2 = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`
	hybrid = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw shared:7 master:2 - cgroup2 cgroup2 rw
50 41 0:32 / /mnt/memory\040again rw - cgroup cgroup rw,memory
`
	onlyV1 = `35 31 0:32 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
36 31 0:33 /docker/4f /sys/fs/cgroup/my\040pids ro - cgroup cgroup rw,pids
37 31 0:34 /docker/4f /sys/fs/cgroup/freezer ro - cgroup cgroup rw,freezer
`
)

func hostOf(t *testing.T, mountinfo string) *Host {
	t.Helper()
	h, err := parse(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTreesOfControllers(t *testing.T) {
	for _, c := range []struct {
		name, mountinfo string
		controllers     []string
		want            string // mount points; "" for an error
	}{
		{"version 2", onlyV2, []string{"memory", "cpu", "pids"}, "/sys/fs/cgroup"},
		{"hybrid", hybrid, []string{"memory", "cpu"}, "/sys/fs/cgroup/memory /sys/fs/cgroup/cpu,cpuacct"},
		{"hybrid, mounted together", hybrid, []string{"cpuacct", "cpu"}, "/sys/fs/cgroup/cpu,cpuacct"},
		{"hybrid, left to version 2", hybrid, []string{"memory", "pids"}, "/sys/fs/cgroup/memory /sys/fs/cgroup/unified"},
		{"version 1", onlyV1, []string{"pids"}, "/sys/fs/cgroup/my pids"},
		{"version 1 without it", onlyV1, []string{"pids", "cpu"}, ""},
		{"none", "", []string{"memory"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			trees, err := hostOf(t, c.mountinfo).treesOf(c.controllers)
			if got := mounts(trees); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			var e *Error
			if c.want == "" && (!errors.As(err, &e) || !errors.Is(err, errors.ErrUnsupported) || e.Hint == "") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTreesOfAGroupThatCanDoEverything(t *testing.T) {
	for name, c := range map[string]struct{ mountinfo, want string }{
		"version 2": {onlyV2, "/sys/fs/cgroup"},
		"hybrid":    {hybrid, "/sys/fs/cgroup/unified /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup/memory"},
		"version 1": {onlyV1, "/sys/fs/cgroup/memory /sys/fs/cgroup/my pids /sys/fs/cgroup/freezer"},
	} {
		if got := mounts(hostOf(t, c.mountinfo).all()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func mounts(trees []tree) string {
	var list []string
	for _, t := range trees {
		list = append(list, t.mount)
	}
	return strings.Join(list, " ")
}

func TestGroupsAboveOnesOwn(t *testing.T) {
	for _, c := range []struct {
		root, own string
		want      []string
	}{
		{"/", "/", nil},
		{"/", "/a", nil},
		{"/", "/user.slice/user@1000.service/app.slice/x.scope",
			[]string{"user.slice/user@1000.service/app.slice", "user.slice/user@1000.service", "user.slice"}},
		{"/docker/4f", "/docker/4f", nil},
		{"/docker/4f", "/docker/4f/a/b", []string{"a"}},
		{"/docker/4f", "/docker/77/a/b", nil},
		{"/", "/../outside/x", nil}, // beyond the root of the cgroup namespace
	} {
		h := &Host{own: func() (string, error) { return "3:memory:/m\n0::" + c.own + "\n", nil }}
		if got := h.above(tree{root: c.root, v2: true}); !slices.Equal(got, c.want) {
			t.Errorf("root %s, own %s: %q, want %q", c.root, c.own, got, c.want)
		}
	}
	h := &Host{own: func() (string, error) { return "", errors.New("no /proc") }}
	if got := h.above(tree{root: "/"}); got != nil {
		t.Errorf("without /proc: %q", got)
	}
}

func TestOwnGroup(t *testing.T) {
	const text = "9:name=systemd:/\n4:memory:/a/b:c\n1:cpu,cpuacct:/x\n0::/user.slice/a:b.scope\n"
	if got := ownGroup(text); got != "/user.slice/a:b.scope" {
		t.Errorf("own group %q", got)
	}
	if got := ownGroup("4:memory:/a\n"); got != "/" {
		t.Errorf("without version 2: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{onlyV2, hybrid, onlyV1, "", "\n", "1 2 3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, tree := range h.trees {
			if tree.v2 && i > 0 || !tree.v2 && len(tree.controllers) == 0 {
				t.Errorf("tree %d: %+v", i, tree)
			}
		}
	})
}
