package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// rule is one remedy: for some trials, for some errnos, in some circumstances. The first rule that fits
// is taken.
type rule struct {
	ids  []ID                      // nil: all
	errs []error                   // nil: any
	at   string                    // the system call that failed; "": any
	when func(*Host, *Report) bool // nil: always
	text string                    // unless say is set
	say  func(h *Host, id ID) string
}

// remedy is what to do about a failed trial, or "".
func remedy(h *Host, r *Report, id ID) string {
	err := r.Results[id].Err
	for _, list := range [][]rule{namespaceRules, filesystemRules, cgroupRules, idRules, callRules, commonRules} {
		for _, rule := range list {
			if rule.fits(h, r, id, err) {
				if rule.say != nil {
					return rule.say(h, id)
				}
				return rule.text
			}
		}
	}
	return ""
}

func (r *rule) fits(h *Host, rep *Report, id ID, err error) bool {
	if r.ids != nil && !slices.Contains(r.ids, id) {
		return false
	}
	is := func(target error) bool { return errors.Is(err, target) }
	if r.errs != nil && !slices.ContainsFunc(r.errs, is) {
		return false
	}
	return (r.at == "" || r.at == callOf(err)) && (r.when == nil || r.when(h, rep))
}

// callOf is the system call that an error is of, or "".
func callOf(err error) string {
	var call *os.SyscallError
	var path *fs.PathError
	switch {
	case errors.As(err, &call):
		return call.Syscall
	case errors.As(err, &path):
		return path.Op
	}
	return ""
}

// Groups of trials and of errnos.
var (
	users      = []ID{User, OrdinaryUser}
	spaces     = []ID{Mount, PID, Net, IPC, UTS, Cgroup, Time}
	anySpace   = append(slices.Clone(users), spaces...)
	mounted    = []ID{MountAPI, Tmpfs, Proc, Sysfs, Devpts, Mqueue, CgroupFS, Overlay, OverlayUser, OverlayUserxattr, OverlayState}
	overlays   = []ID{Overlay, OverlayUser, OverlayUserxattr, OverlayState}
	limitIDs   = []ID{LimitMemory, LimitCPU, LimitPids}
	denied     = []error{syscall.EPERM, syscall.EACCES}
	missing    = []error{syscall.ENOSYS, syscall.EINVAL, syscall.EOPNOTSUPP}
	full       = []error{syscall.ENOSPC, syscall.EUSERS}
	notThere   = []error{fs.ErrNotExist}
	unwritable = []error{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOSPC, syscall.ENOENT}
)

// Words that are said more than once.
const (
	appArmorKnob  = "kernel.apparmor_restrict_unprivileged_userns"
	appArmorOff   = "sysctl -w " + appArmorKnob + "=0, or give this program an AppArmor profile with the rule userns"
	filterForbids = "a seccomp filter forbids it, as that of a container does: docker run --security-opt seccomp=unconfined; in Kubernetes seccompProfile: {type: Unconfined}"
	noProgram     = "install the package uidmap (Debian, Ubuntu), shadow-utils (Fedora) or shadow-subids (Alpine)"
)

// knobIs is the circumstance that a sysctl has a value.
func knobIs(name, value string) func(*Host, *Report) bool {
	return func(h *Host, _ *Report) bool { return h.knob(name) == value }
}

func filtered(h *Host, _ *Report) bool  { return h.filtered() }
func enforcing(h *Host, _ *Report) bool { return h.seLinux() == "enforcing" }
func confined(h *Host, _ *Report) bool {
	return h.appArmor() != "" && !strings.HasPrefix(h.appArmor(), "unconfined")
}
func masked(h *Host, _ *Report) bool { return procMasked(h.mounts()) }
func chrooted(h *Host, _ *Report) bool {
	return h.exists("/proc/self/mountinfo") && !rootIsMounted(h.mounts())
}
func privileged(h *Host, _ *Report) bool { return h.Privileged }
func ordinary(h *Host, _ *Report) bool   { return !h.Privileged }
func noNewPrivs(h *Host, _ *Report) bool { return h.status("NoNewPrivs") == "1" }

var namespaceRules = []rule{
	{ids: users, errs: full, when: knobIs("user.max_user_namespaces", "0"), text: "sysctl -w user.max_user_namespaces=15000"},
	{ids: users, errs: full, text: "too many user namespaces, or too many in one another: raise the sysctl user.max_user_namespaces, also outside the container around this program"},
	{ids: anySpace, errs: full, say: func(_ *Host, id ID) string {
		kind, _, _ := strings.Cut(id.Name(), " ")
		return "raise the sysctl user.max_" + kind + "_namespaces"
	}},
	{ids: users, errs: denied, when: knobIs("kernel.unprivileged_userns_clone", "0"), text: "sysctl -w kernel.unprivileged_userns_clone=1"},
	{ids: users, errs: denied, at: "unshare", when: chrooted, text: "in a chroot the kernel makes no user namespace: start this program outside of it"},
	// A filter refuses the call itself; AppArmor, as a rule, what is done in the namespace then.
	{ids: users, errs: denied, at: "unshare", when: filtered, text: filterForbids},
	{ids: anySpace, errs: denied, when: knobIs(appArmorKnob, "1"), text: appArmorOff},
	{ids: anySpace, errs: denied, when: confined, text: "an AppArmor profile forbids it: docker run --security-opt apparmor=unconfined; in Kubernetes appArmorProfile: {type: Unconfined}"},
	{ids: anySpace, errs: denied, when: filtered, text: filterForbids},
	{ids: users, errs: denied, when: enforcing, text: "SELinux may forbid it: look for user_namespace in ausearch -m avc, and allow it to this program's domain"},
	{ids: users, errs: notThere, text: "mount proc on /proc"},
	{ids: users, errs: []error{syscall.EROFS}, text: "mount /proc so that it can be written to"},
	{ids: users, errs: denied, text: "run as root, or where user namespaces are allowed"},
	{ids: spaces, errs: denied, text: "run as root with CAP_SYS_ADMIN"},
	{ids: anySpace, errs: missing, say: func(_ *Host, id ID) string {
		kind, _, _ := strings.Cut(strings.ToUpper(id.Name()), " ")
		if id == Cgroup {
			kind += "S, which makes cgroup namespaces too"
		} else if id != Mount {
			kind += "_NS"
		}
		return "use a kernel from " + id.Since() + " on that is built with CONFIG_" + kind
	}},
}

var filesystemRules = []rule{
	{ids: []ID{Proc}, errs: denied, when: masked,
		text: "parts of /proc are covered: docker run --security-opt systempaths=unconfined; podman run --security-opt unmask=ALL; in Kubernetes procMount: Unmasked with hostUsers: false"},
	{ids: []ID{Sysfs}, errs: denied, when: ordinary,
		text: "/sys is covered in part, or not mounted: docker run --security-opt systempaths=unconfined, or run as root"},
	{ids: mounted, errs: denied, when: confined, text: "an AppArmor profile forbids mounts: docker run --security-opt apparmor=unconfined; in Kubernetes appArmorProfile: {type: Unconfined}"},
	{ids: mounted, errs: denied, when: knobIs(appArmorKnob, "1"), text: appArmorOff},
	{ids: mounted, errs: denied, when: filtered, text: filterForbids},
	{ids: overlays, errs: []error{syscall.ENODEV}, text: "modprobe overlay, or use a kernel with CONFIG_OVERLAY_FS"},
	{ids: []ID{Mqueue}, errs: []error{syscall.ENODEV}, text: "none needed: containers go without /dev/mqueue; else use a kernel with CONFIG_POSIX_MQUEUE"},
	{ids: mounted, errs: []error{syscall.ENODEV}, text: "use a kernel that has this filesystem built in, or load its module"},
	{ids: []ID{OverlayState}, errs: unwritable, say: func(h *Host, _ ID) string {
		return "set Engine.Dir to a directory that can be written to: " + h.StateDir + " cannot"
	}},
	{ids: []ID{OverlayState}, say: func(h *Host, _ ID) string {
		return "set Engine.Dir to a directory on ext4, xfs, btrfs or tmpfs: the filesystem of " + h.StateDir + " cannot hold a writable layer"
	}},
	{ids: overlays, errs: denied, text: "use a kernel from 5.11 on, or run as root: before, overlay is not for user namespaces"},
	{ids: []ID{OverlayFsconfig, OverlayLowerAdd, OverlayFD}, text: "none needed: an older way is taken, in which the paths of all layers must fit one page"},
	{ids: []ID{TmpfsXattr}, text: "none needed with a state directory on disk; in memory an ordinary user's containers cannot replace whole directories of the image before 6.6"},
	{ids: []ID{IDMapped}, errs: denied, when: ordinary, text: "none needed: files get their owners in the user namespace; only root may map them"},
	{ids: []ID{IDMapped}, errs: missing, say: func(h *Host, _ ID) string {
		return "put the state directory on ext4, xfs, btrfs or tmpfs and use a kernel from 6.1 on; else layers are copied with new owners (" + h.StateDir + ")"
	}},
	{ids: []ID{PivotRoot}, errs: []error{syscall.EINVAL}, text: "none needed: on an initramfs the root is moved and entered by chroot"},
	{ids: mounted, errs: denied, text: "run as root with CAP_SYS_ADMIN, or where nothing forbids mounts in a user namespace"},
}

var cgroupRules = []rule{
	{ids: []ID{CgroupTree}, text: "mount -t cgroup2 none /sys/fs/cgroup"},
	{ids: []ID{CgroupMake}, errs: []error{syscall.EROFS},
		text: "the cgroup filesystem is read-only, as in a container: docker run --privileged --cgroupns=private; in Kubernetes privileged: true"},
	{ids: []ID{CgroupMake}, errs: denied, when: func(h *Host, r *Report) bool { return r.CgroupMode == "v2" && !h.Privileged },
		text: "have a cgroup of your own: systemd-run --user --scope -p Delegate=yes PROGRAM"},
	{ids: []ID{CgroupMake}, errs: denied, text: "run as root: cgroup v1 is not for ordinary users; or boot with systemd.unified_cgroup_hierarchy=1"},
	{ids: limitIDs, say: func(_ *Host, id ID) string {
		c := map[ID]string{LimitMemory: "memory", LimitCPU: "cpu", LimitPids: "pids"}[id]
		return "boot without cgroup_disable=" + c + ", or with cgroup_enable=" + c +
			"; for an ordinary user, start this program by systemd-run --user --scope -p Delegate=yes; in a container, have the outer one delegate the controller"
	}},
	{ids: []ID{CgroupKill}, errs: notThere, text: "none needed: processes are killed by the end of their pid namespace; it comes with kernel 5.14"},
	{ids: []ID{CgroupInto}, errs: denied, text: "start this program in a cgroup below which it may write: systemd-run --user --scope -p Delegate=yes PROGRAM"},
}

var idRules = []rule{
	{ids: []ID{Newuidmap, Newgidmap}, text: noProgram},
	{ids: []ID{SubUID, SubGID}, say: func(h *Host, id ID) string {
		file := map[ID]string{SubUID: "/etc/subuid", SubGID: "/etc/subgid"}[id]
		return "add the line " + h.freeRange(file) + " to " + file
	}},
	{ids: []ID{IDMaps}, when: noNewPrivs, text: "newuidmap cannot gain rights, because this program runs with no_new_privs: in Kubernetes allowPrivilegeEscalation: true; with systemd NoNewPrivileges=no"},
	{ids: []ID{IDMaps}, when: func(h *Host, _ *Report) bool { return !h.Privileged && !h.setuid("newuidmap") },
		text: "newuidmap and newgidmap must be setuid root, or have the file capability cap_setuid or cap_setgid: install the package uidmap again"},
	{ids: []ID{IDMaps}, when: privileged, text: "run with CAP_SETUID and CAP_SETGID"},
	{ids: []ID{IDMaps}, text: "look whether the lines in /etc/subuid and /etc/subgid are right, and whether newuidmap lies on a mount with nosuid"},
}

var callRules = []rule{
	{ids: []ID{MemfdExec}, errs: denied, when: knobIs("vm.memfd_noexec", "2"),
		text: "sysctl -w vm.memfd_noexec=1; until then the state directory must not be mounted noexec"},
	{ids: []ID{MemfdExec}, errs: denied, text: "a security module forbids it: the state directory must not be mounted noexec"},
	{ids: []ID{SysResource}, errs: denied, text: "run with CAP_SYS_RESOURCE if containers shall have higher rlimits than this program: docker run --cap-add SYS_RESOURCE"},
	{ids: []ID{Binfmt}, text: "only for images of other processors: install the package qemu-user-static, or mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"},
	{ids: []ID{Landlock}, errs: []error{syscall.EOPNOTSUPP}, text: "boot with landlock in the list lsm="},
	{ids: []ID{Landlock}, errs: []error{syscall.ENOSYS}, when: func(h *Host, _ *Report) bool { return !h.filtered() },
		text: "none needed; it takes a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK"},
	{ids: []ID{Seccomp}, errs: []error{syscall.EINVAL}, text: "use a kernel with CONFIG_SECCOMP_FILTER"},
}

// commonRules hold for whatever system call is missing or forbidden.
var commonRules = []rule{
	{errs: []error{syscall.ENOSYS, syscall.EPERM}, when: filtered,
		text: "a seccomp filter around this program does not know the call: update the container engine, or docker run --security-opt seccomp=unconfined"},
	{errs: []error{syscall.ENOSYS, syscall.EINVAL}, say: func(_ *Host, id ID) string { return "use a kernel from " + id.Since() + " on" }},
	{errs: denied, text: "run as root, or where no security module forbids it"},
}

// name is the user as the files of subordinate ids name it.
func (h *Host) name() string {
	if h.User != "" {
		return h.User
	}
	return fmt.Sprint(h.UID)
}

// setuid tells whether a program is there and setuid. That it has file capabilities instead cannot be
// seen without reading it, so a program that is there and not setuid is not certain to be wrong; but
// then it has not worked.
func (h *Host) setuid(program string) bool {
	path, err := h.LookPath(program)
	if err != nil {
		return false
	}
	info, err := fs.Stat(h.Files, strings.TrimPrefix(path, "/"))
	return err == nil && info.Mode()&fs.ModeSetuid != 0
}
