package probe

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

// host is a host made of strings: the contents of files by path.
func host(files map[string]string) *Host {
	m := fstest.MapFS{}
	for name, text := range files {
		m[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	return &Host{
		Files: m, UID: 1000, GID: 1000, User: "alice", StateDir: "/home/alice/caisson",
		LookPath: func(name string) (string, error) {
			if _, err := fs.Stat(m, "usr/bin/"+name); err != nil {
				return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
			}
			return "/usr/bin/" + name, nil
		},
	}
}

func call(name string, errno syscall.Errno) error { return os.NewSyscallError(name, errno) }

func on(name, path string, errno syscall.Errno) error {
	return &fs.PathError{Op: name, Path: path, Err: errno}
}

const (
	plainMounts = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw - ext4 /dev/vda rw\n"
	maskMounts  = plainMounts + "30 22 0:6 /null /proc/kcore rw - devtmpfs devtmpfs rw\n"
)

// What went wrong, what the host's files say, and a word that the remedy must have.
var remedies = []struct {
	name  string
	id    ID
	err   error
	files map[string]string
	root  bool
	want  string
}{
	// User namespaces.
	{"limit of user namespaces is 0", User, on("unshare", "user", syscall.ENOSPC), map[string]string{"/proc/sys/user/max_user_namespaces": "0\n"}, false, "sysctl -w user.max_user_namespaces=15000"},
	{"limit is reached", User, on("unshare", "user", syscall.ENOSPC), map[string]string{"/proc/sys/user/max_user_namespaces": "7\n"}, false, "raise the sysctl user.max_user_namespaces"},
	{"too deep", OrdinaryUser, on("unshare", "user", syscall.EUSERS), nil, false, "too many in one another"},
	{"Debian's knob", User, on("unshare", "user", syscall.EPERM), map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, false, "sysctl -w kernel.unprivileged_userns_clone=1"},
	{"Debian's knob, seen by root", OrdinaryUser, on("unshare", "user", syscall.EPERM), map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, true, "sysctl -w kernel.unprivileged_userns_clone=1"},
	{"Ubuntu's knob, at the maps", User, on("write", "/proc/self/uid_map", syscall.EPERM), map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, false, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
	{"Ubuntu's knob, at unshare", User, on("unshare", "user", syscall.EACCES), map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, false, "kernel.apparmor_restrict_unprivileged_userns=0"},
	{"Ubuntu's knob open", User, on("unshare", "user", syscall.EPERM), map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n"}, false, "run as root"},
	{"a filter on a host with Ubuntu's knob", User, on("unshare", "user", syscall.EPERM), map[string]string{
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n", "/proc/self/status": "Name:\tx\nSeccomp:\t2\n"}, false, "seccomp=unconfined"},
	{"a filter", User, on("unshare", "user", syscall.EPERM), map[string]string{"/proc/self/status": "Seccomp:\t2\n"}, false, "seccompProfile"},
	{"a chroot", User, on("unshare", "user", syscall.EPERM), map[string]string{"/proc/self/mountinfo": "22 27 0:21 / /proc rw - proc proc rw\n"}, false, "chroot"},
	{"an AppArmor profile", User, on("write", "/proc/self/uid_map", syscall.EACCES), map[string]string{
		"/sys/module/apparmor/parameters/enabled": "Y\n", "/proc/self/attr/current": "docker-default (enforce)\n"}, false, "apparmor=unconfined"},
	{"SELinux", User, on("unshare", "user", syscall.EACCES), map[string]string{"/sys/fs/selinux/enforce": "1"}, false, "ausearch"},
	{"no proc", User, on("openat", "/proc/self/uid_map", syscall.ENOENT), nil, false, "mount proc"},
	{"read-only proc", User, on("openat", "/proc/self/uid_map", syscall.EROFS), nil, false, "written"},
	{"not compiled in", User, on("unshare", "user", syscall.EINVAL), nil, false, "CONFIG_USER_NS"},
	{"nothing known", User, on("unshare", "user", syscall.EPERM), nil, false, "run as root"},

	// The other namespaces.
	{"mnt limit", Mount, on("unshare", "mnt", syscall.ENOSPC), nil, true, "user.max_mnt_namespaces"},
	{"cgroup limit", Cgroup, on("unshare", "cgroup", syscall.ENOSPC), nil, true, "user.max_cgroup_namespaces"},
	{"root without the capability", Net, on("unshare", "net", syscall.EPERM), nil, true, "CAP_SYS_ADMIN"},
	{"root under a filter", Net, on("unshare", "net", syscall.EPERM), map[string]string{"/proc/self/status": "Seccomp:\t2\n"}, true, "seccomp=unconfined"},
	{"old kernel", Time, on("unshare", "time", syscall.EINVAL), nil, true, "from 5.6 on that is built with CONFIG_TIME_NS"},
	{"no cgroup namespaces", Cgroup, on("unshare", "cgroup", syscall.EINVAL), nil, true, "CONFIG_CGROUPS"},

	// Filesystems.
	{"masked proc", Proc, on("fsmount", "proc", syscall.EPERM), map[string]string{"/proc/self/mountinfo": maskMounts}, false, "procMount: Unmasked"},
	{"proc not masked", Proc, on("fsmount", "proc", syscall.EPERM), map[string]string{"/proc/self/mountinfo": plainMounts}, false, "CAP_SYS_ADMIN"},
	{"sysfs covered", Sysfs, on("fsmount", "sysfs", syscall.EPERM), nil, false, "systempaths=unconfined"},
	{"no mqueue", Mqueue, on("fsopen", "mqueue", syscall.ENODEV), nil, true, "CONFIG_POSIX_MQUEUE"},
	{"overlay not loaded", Overlay, on("mount", "overlay", syscall.ENODEV), nil, true, "modprobe overlay"},
	{"overlay before 5.11", OverlayUser, on("mount", "overlay", syscall.EPERM), nil, false, "5.11"},
	{"overlay under AppArmor", Overlay, on("mount", "overlay", syscall.EACCES), map[string]string{
		"/sys/module/apparmor/parameters/enabled": "Y\n", "/proc/self/attr/apparmor/current": "box (enforce)\n"}, false, "apparmor=unconfined"},
	{"fsconfig before 6.5", OverlayFsconfig, on("fsconfig", "overlay", syscall.EINVAL), nil, true, "none needed"},
	{"layers by descriptor before 6.13", OverlayFD, on("fsconfig", "lowerdir+", syscall.EBADF), nil, true, "none needed"},
	{"layers by descriptor before 6.5", OverlayFD, on("fsconfig", "lowerdir+", syscall.EOPNOTSUPP), nil, true, "none needed"},
	{"state directory on overlay", OverlayState, on("mount", "overlay", syscall.EINVAL), nil, false, "filesystem of /home/alice/caisson cannot hold"},
	{"state directory read-only", OverlayState, on("mkdir", "/home/alice", syscall.EROFS), nil, false, "can be written to"},
	{"idmapped by a user", IDMapped, on("mount_setattr", "/", syscall.EPERM), nil, false, "only root"},
	{"idmapped on NFS", IDMapped, on("mount_setattr", "/", syscall.EINVAL), nil, true, "ext4"},
	{"initramfs", PivotRoot, call("pivot_root", syscall.EINVAL), nil, true, "initramfs"},
	{"tmpfs before 6.6", TmpfsXattr, call("fsetxattr", syscall.EOPNOTSUPP), nil, false, "6.6"},

	// Cgroups. The mode is v2 in these.
	{"no cgroups", CgroupTree, on("find", "cgroup hierarchy", syscall.ENOENT), nil, true, "mount -t cgroup2"},
	{"read-only cgroups", CgroupMake, on("mkdir", "/sys/fs/cgroup/x", syscall.EROFS), nil, true, "read-only"},
	{"not delegated", CgroupMake, on("mkdir", "/sys/fs/cgroup/x", syscall.EACCES), nil, false, "Delegate=yes"},
	{"memory switched off at boot", LimitMemory, on("find", "memory", syscall.ENOENT), nil, true, "cgroup_enable=memory"},
	{"no pids in a delegated cgroup", LimitPids, on("find", "pids", syscall.ENOENT), nil, false, "Delegate=yes"},
	{"no cgroup.kill", CgroupKill, on("open", "/sys/fs/cgroup/x/cgroup.kill", syscall.ENOENT), nil, true, "5.14"},
	{"into a cgroup of others", CgroupInto, call("clone", syscall.EACCES), nil, false, "Delegate=yes"},

	// Ids.
	{"no newuidmap", Newuidmap, &exec.Error{Name: "newuidmap", Err: exec.ErrNotFound}, nil, false, "package uidmap"},
	{"no line", SubUID, on("find", "alice", syscall.ENOENT), nil, false, "add the line alice:100000:65536 to /etc/subuid"},
	{"no line, others have some", SubGID, on("find", "alice", syscall.ENOENT), map[string]string{"/etc/subgid": "bob:100000:65536\n"}, false, "add the line alice:165536:65536 to /etc/subgid"},
	{"newuidmap without setuid", IDMaps, errors.New("exit status 1"), map[string]string{"/usr/bin/newuidmap": ""}, false, "setuid root"},
	{"newuidmap under no_new_privs", IDMaps, errors.New("exit status 1"), map[string]string{"/proc/self/status": "NoNewPrivs:\t1\n"}, false, "allowPrivilegeEscalation"},
	{"root without CAP_SETUID", IDMaps, on("write", "/proc/5/uid_map", syscall.EPERM), nil, true, "CAP_SETUID"},

	// Processes, memory, security.
	{"memfd_noexec", MemfdExec, call("memfd_create", syscall.EACCES), map[string]string{"/proc/sys/vm/memfd_noexec": "2\n"}, true, "sysctl -w vm.memfd_noexec=1"},
	{"memfd and a security module", MemfdExec, call("clone", syscall.EACCES), map[string]string{"/proc/sys/vm/memfd_noexec": "0\n"}, true, "security module"},
	{"no CAP_SYS_RESOURCE", SysResource, call("prlimit64", syscall.EPERM), nil, true, "--cap-add SYS_RESOURCE"},
	{"clone3 under an old filter", Clone3, call("clone3", syscall.ENOSYS), map[string]string{"/proc/self/status": "Seccomp:\t2\n"}, false, "update the container engine"},
	{"clone3 refused by a filter", Clone3, call("clone3", syscall.EPERM), map[string]string{"/proc/self/status": "Seccomp:\t2\n"}, false, "update the container engine"},
	{"clone3 before 5.3", Clone3, call("clone3", syscall.ENOSYS), map[string]string{"/proc/self/status": "Seccomp:\t0\n"}, false, "from 5.3 on"},
	{"close_range before 5.11", CloseRange, call("close_range", syscall.EINVAL), nil, false, "from 5.11 on"},
	{"openat2 before 5.6", Openat2, call("openat2", syscall.ENOSYS), nil, false, "from 5.6 on"},
	{"Landlock not switched on", Landlock, call("landlock_create_ruleset", syscall.EOPNOTSUPP), nil, false, "lsm="},
	{"Landlock not compiled in", Landlock, call("landlock_create_ruleset", syscall.ENOSYS), nil, false, "CONFIG_SECURITY_LANDLOCK"},
	{"no seccomp filters", Seccomp, call("prctl", syscall.EINVAL), nil, false, "CONFIG_SECCOMP_FILTER"},
	{"no binfmt_misc", Binfmt, on("open", "/proc/sys/fs/binfmt_misc", syscall.ENOENT), nil, true, "qemu-user-static"},
	{"a security module, and a call like any", Pidfd, call("pidfd_open", syscall.EPERM), nil, true, "security module"},
}

func TestRemedies(t *testing.T) {
	for _, c := range remedies {
		t.Run(c.name, func(t *testing.T) {
			h := host(c.files)
			if c.root {
				h.UID, h.GID, h.User, h.Privileged = 0, 0, "root", true
			}
			r := &Report{CgroupMode: "v2"}
			r.record(c.id, "", c.err)
			if got := remedy(h, r, c.id); !strings.Contains(got, c.want) {
				t.Errorf("%v: %q does not say %q", c.err, got, c.want)
			}
		})
	}
}

// AppArmor may let a user namespace be made and then refuse what needs a right in it.
func TestRemedyWhereTheUserNamespaceWorks(t *testing.T) {
	h := host(map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"})
	r := &Report{}
	r.record(User, "", nil)
	r.record(Mount, "", on("mount", "/ private", syscall.EACCES))
	if got := remedy(h, r, Mount); got != appArmorOff {
		t.Error(got)
	}
}

func TestCgroupV1IsForRoot(t *testing.T) {
	r := &Report{CgroupMode: "hybrid"}
	r.record(CgroupMake, "", on("mkdir", "/sys/fs/cgroup/memory/x", syscall.EACCES))
	if got := remedy(host(nil), r, CgroupMake); !strings.Contains(got, "cgroup v1 is not for ordinary users") {
		t.Error(got)
	}
}

func TestSetuidProgramIsNotBlamed(t *testing.T) {
	h := host(map[string]string{"/usr/bin/newuidmap": ""})
	h.Files.(fstest.MapFS)["usr/bin/newuidmap"].Mode = fs.ModeSetuid | 0o755
	r := &Report{}
	r.record(IDMaps, "", errors.New("exit status 1"))
	if got := remedy(h, r, IDMaps); !strings.Contains(got, "nosuid") {
		t.Error(got)
	}
}

// Every failure with an errno that the kernel gives for "forbidden" or "unknown" has some remedy.
func TestNoFailureWithoutRemedy(t *testing.T) {
	for id := None + 1; id < numTrials; id++ {
		for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOSYS, syscall.EINVAL} {
			for _, root := range []bool{false, true} {
				h := host(nil)
				h.Privileged = root
				r := &Report{}
				r.record(id, "", call("x", errno))
				if remedy(h, r, id) == "" {
					t.Errorf("%s, %v, root %v: no remedy", id.Name(), errno, root)
				}
			}
		}
	}
}
