package testneed

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A refused step must come out as its own errno: a clone flag that contradicts another is refused by the clone itself.
func TestTryReportsTheFailingStep(t *testing.T) {
	err := try(&syscall.SysProcAttr{Cloneflags: syscall.CLONE_FS | syscall.CLONE_NEWNS})
	if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
		t.Errorf("CLONE_FS with CLONE_NEWNS gave %v", err)
	}
	if err := try(&syscall.SysProcAttr{}); err != nil {
		t.Errorf("a plain child gave %v", err)
	}
}

func TestNeedsOfThisMachine(t *testing.T) {
	for name, need := range map[string]func(TB){
		"root": Root, "unprivileged": Unprivileged, "userns": UserNamespaces, "subids": SubordinateIDs,
		"cgroupv2": func(t TB) { CgroupV2(t) },
	} {
		t.Run(name, func(t *testing.T) { need(t) }) // a skip here is the report of what is missing
	}
}

func TestUserNamespaceNeedAgreesWithTheKernel(t *testing.T) {
	UserNamespaces(t)
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(self, []string{self, "-test.run=^$"}, &os.ProcAttr{Sys: attr})
	if err != nil {
		t.Fatalf("the need is met, yet a process in a user namespace does not start: %v", err)
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		t.Errorf("it ended with %v, %v", state, err)
	}
}

func TestCgroupV2DirectoryIsUsable(t *testing.T) {
	dir := CgroupV2(t)
	trial := filepath.Join(dir, "testneed-trial")
	if err := os.Mkdir(trial, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(trial)
	if _, err := os.Stat(filepath.Join(trial, "cgroup.procs")); err != nil {
		t.Errorf("what was made is no cgroup: %v", err)
	}
}

const hybrid = `24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw - tmpfs cgroup rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw shared:5 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 /pod /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw shared:7 master:2 - cgroup2 cgroup2 rw
`

func TestCgroupMount(t *testing.T) {
	for _, c := range []struct{ fstype, controller, dir, root string }{
		{"cgroup2", "", "/sys/fs/cgroup/unified", "/"},
		{"cgroup", "cpuacct", "/sys/fs/cgroup/cpu", "/"},
		{"cgroup", "memory", "/sys/fs/cgroup/memory", "/pod"},
		{"cgroup", "pids", "", ""},
	} {
		if dir, root := cgroupMount(hybrid, c.fstype, c.controller); dir != c.dir || root != c.root {
			t.Errorf("%s %s: %q %q, want %q %q", c.fstype, c.controller, dir, root, c.dir, c.root)
		}
	}
}

func TestOwnCgroup(t *testing.T) {
	const cgroups = "9:name=systemd:/\n4:memory:/a/b:c\n1:cpu,cpuacct:/x\n0::/user.slice/s.scope\n"
	for controller, want := range map[string]string{"": "/user.slice/s.scope", "memory": "/a/b:c", "cpuacct": "/x", "pids": "/"} {
		if got := ownCgroup(cgroups, controller); got != want {
			t.Errorf("%q: %q, want %q", controller, got, want)
		}
	}
}

func TestFindRange(t *testing.T) {
	const subuid = "someone:100000:65536\n1234:300000:10\nbroken\nme:200000:65536\n"
	for _, c := range []struct{ name, uid, first string }{{"me", "5", "200000"}, {"x", "1234", "300000"}, {"x", "9", ""}} {
		first, _, err := findRange(strings.NewReader(subuid), "subuid", c.name, c.uid)
		if first != c.first || (err == nil) != (c.first != "") {
			t.Errorf("%s %s: %q, %v", c.name, c.uid, first, err)
		}
	}
}
