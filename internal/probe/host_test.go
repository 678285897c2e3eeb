package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestProcMasked(t *testing.T) {
	for _, c := range []struct {
		name, mounts string
		want         bool
	}{
		{"plain", plainMounts, false},
		{"a file covered", maskMounts, true},
		{"made to be mounted on", plainMounts + "30 22 0:30 / /proc/sys/fs/binfmt_misc rw - binfmt_misc x rw\n", false},
		{"read-only copy of a part", plainMounts + "30 22 0:21 /sys /proc/sys ro - proc proc rw\n", true},
		{"another proc, whole", maskMounts + "31 27 0:21 / /mnt/my\\040proc rw - proc proc rw\n", false},
		{"no proc at all", "27 1 254:0 / / rw - ext4 /dev/vda rw\n", false},
		{"rubbish", "x\n - \n1 2 3\n", false},
	} {
		h := host(map[string]string{"/proc/self/mountinfo": c.mounts})
		if got := procMasked(h.mounts()); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestUnescape(t *testing.T) {
	if got := unescape(`/a\040b\134c\011\012`); got != "/a b\\c\t\n" {
		t.Errorf("%q", got)
	}
}

const (
	v2Mounts = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	hybrid   = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
		"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)

func TestHierarchies(t *testing.T) {
	for _, c := range []struct {
		name, mounts, cgroups string
		mode                  string
		own                   []string
	}{
		{"v2", v2Mounts, "0::/user.slice/s.scope\n", "v2", []string{"/sys/fs/cgroup/user.slice/s.scope"}},
		{"hybrid", hybrid, "9:name=systemd:/x\n4:memory:/a/b:c\n1:cpu,cpuacct:/\n0::/u\n", "hybrid",
			[]string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory/a/b:c", "/sys/fs/cgroup/systemd/x", "/sys/fs/cgroup/unified/u"}},
		{"v1", "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n", "4:memory:/a\n", "v1", []string{"/m/a"}},
		{"a part is mounted", "31 23 0:28 /kube/pod /sys/fs/cgroup ro - cgroup2 c ro\n", "0::/kube/pod/box\n", "v2", []string{"/sys/fs/cgroup/box"}},
		{"another part is mounted", "31 23 0:28 /kube/pod /sys/fs/cgroup ro - cgroup2 c ro\n", "0::/kube/podx\n", "v2", []string{"/sys/fs/cgroup"}},
		{"none", plainMounts, "", "", nil},
	} {
		h := host(map[string]string{"/proc/self/mountinfo": c.mounts, "/proc/self/cgroup": c.cgroups})
		list := h.hierarchies()
		var own []string
		for _, y := range list {
			own = append(own, y.own)
		}
		if got := cgroupMode(list); got != c.mode || !slices.Equal(own, c.own) {
			t.Errorf("%s: %q %q", c.name, got, own)
		}
	}
}

func TestPlacesForCgroups(t *testing.T) {
	for _, c := range []struct {
		own  string
		want []string
	}{
		{"/sys/fs/cgroup", []string{"/sys/fs/cgroup"}},
		{"/sys/fs/cgroup/a", []string{"/sys/fs/cgroup"}},
		{"/sys/fs/cgroup/a/b/c", []string{"/sys/fs/cgroup", "/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a"}},
		{"/elsewhere/a", []string{"/sys/fs/cgroup"}},
	} {
		y := hierarchy{top: "/sys/fs/cgroup", own: c.own}
		if got := y.places(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.own, got)
		}
	}
}

func TestDescribeHierarchies(t *testing.T) {
	h := host(map[string]string{
		"/proc/self/mountinfo": hybrid, "/proc/self/cgroup": "0::/\n",
		"/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb misc\n",
	})
	if got, want := h.describe(h.hierarchies()), "v2 on /sys/fs/cgroup/unified: hugetlb misc; v1: cpu,cpuacct memory"; got != want {
		t.Errorf("%q", got)
	}
}

func TestFreeRange(t *testing.T) {
	var many strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&many, "u%d:%d:1000\n", i, 100000+1000*(99999-i))
	}
	for _, c := range []struct{ name, file, want string }{
		{"no file", "", "alice:100000:65536"},
		{"others below and above", "bob:1:99999\ncarol:500000:65536\n", "alice:100000:65536"},
		{"others in the way", "bob:100000:65536\ncarol:165536:65536\n", "alice:231072:65536"},
		{"out of order", "carol:165536:65536\nbob:100000:65536\n", "alice:231072:65536"},
		{"a gap that is too small", "bob:100000:10\ncarol:100020:10\n", "alice:100030:65536"},
		{"overlapping", "bob:90000:1000000\ncarol:100000:10\n", "alice:1090000:65536"},
		{"rubbish", "bob:x:65536\ncarol\n:::\n", "alice:100000:65536"},
		{"many", many.String(), "alice:100100000:65536"},
	} {
		h := host(map[string]string{"/etc/subuid": c.file})
		if got := h.freeRange("/etc/subuid"); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func TestSecurityModules(t *testing.T) {
	for _, c := range []struct {
		files             map[string]string
		appArmor, seLinux string
	}{
		{nil, "", ""},
		{map[string]string{"/proc/self/attr/current": "kernel"}, "", ""},
		{map[string]string{"/sys/module/apparmor/parameters/enabled": "Y\n", "/proc/self/attr/current": "unconfined\n"}, "unconfined", ""},
		{map[string]string{"/sys/module/apparmor/parameters/enabled": "Y\n", "/proc/self/attr/apparmor/current": "a (enforce)", "/proc/self/attr/current": "b"}, "a (enforce)", ""},
		{map[string]string{"/sys/module/apparmor/parameters/enabled": "Y\n"}, "unknown profile", ""},
		{map[string]string{"/sys/fs/selinux/enforce": "0"}, "", "permissive"},
	} {
		if h := host(c.files); h.appArmor() != c.appArmor || h.seLinux() != c.seLinux {
			t.Errorf("%v: %q %q", c.files, h.appArmor(), h.seLinux())
		}
	}
}

func TestConclude(t *testing.T) {
	r := &Report{}
	r.record(User, "", on("unshare", "user", syscall.EPERM))
	r.record(Mount, "", on("unshare", "mnt", syscall.EPERM))
	r.record(Overlay, "", on("mount", "overlay", syscall.EPERM))
	r.record(Pidfd, "", call("pidfd_open", syscall.EMFILE))
	r.record(Openat2, "", nil)
	r.record(TmpfsXattr, "", call("fsetxattr", syscall.EOPNOTSUPP))
	r.conclude(host(nil))

	if got := r.Results[User]; got.State != Fails || !errors.Is(got.Err, fs.ErrPermission) || got.Remedy == "" {
		t.Errorf("user: %+v", got)
	}
	var need *NeedError
	if got := r.Results[Mount]; got.State != Unknown || !errors.As(got.Err, &need) || need.Need != User {
		t.Errorf("mnt, without a user namespace: %+v", got)
	}
	if got := r.Results[Overlay]; got.State != Unknown || got.Remedy != "" || !errors.As(got.Err, &need) || need.Need != Mount || !errors.Is(got.Err, syscall.EPERM) {
		t.Errorf("overlay, without a mount namespace: %+v", got)
	}
	if got := r.Results[OverlayFD]; got.State != Unknown || !errors.As(got.Err, &need) || need.Need != Overlay {
		t.Errorf("what was not tried: %+v", got)
	}
	if got := r.Results[Pidfd]; got.State != Unknown || !errors.Is(got.Err, syscall.EMFILE) {
		t.Errorf("a busy machine tells nothing: %+v", got)
	}
	if got := r.Results[Openat2]; got != (Result{State: Works}) {
		t.Errorf("openat2: %+v", got)
	}
	if got := r.Results[TmpfsXattr]; got.State != Fails || got.Remedy == "" {
		t.Errorf("tmpfs attributes: %+v", got)
	}
}

func TestEveryTrialIsDescribed(t *testing.T) {
	names := map[string]ID{}
	for id := None + 1; id < numTrials; id++ {
		if id.Name() == "" {
			t.Errorf("trial %d has no name", id)
		}
		if other, ok := names[id.Name()]; ok {
			t.Errorf("trials %d and %d are both %s", id, other, id.Name())
		}
		names[id.Name()] = id
	}
}
