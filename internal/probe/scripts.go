package probe

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// nobody is an id without rights on every distribution; it stands for an ordinary user.
const nobody = 65534

// namespaces tries each kind of namespace but the user namespace, in one if this program needs it.
func namespaces(h *Host) *script {
	s := newScript()
	if !h.Privileged {
		// Where it is refused the others are refused too, and say so themselves.
		s.attempt(func() { s.enterUser(h.UID, h.GID) })
	}
	s.try(Mount, s.enterMounts)
	s.try(UTS, func() {
		s.Unshare(sys.CLONE_NEWUTS).Note("uts")
		s.Sethostname("caisson")
	})
	for _, n := range []struct {
		id   ID
		flag int
		name string
	}{
		{IPC, sys.CLONE_NEWIPC, "ipc"}, {Cgroup, sys.CLONE_NEWCGROUP, "cgroup"}, {Net, sys.CLONE_NEWNET, "net"},
		{Time, sys.CLONE_NEWTIME, "time"}, {PID, sys.CLONE_NEWPID, "pid"},
	} {
		s.try(n.id, func() { s.Unshare(n.flag).Note(n.name) })
	}
	sibling := s.fork(s.waitForLeash)
	s.try(SetnsPidfd, func() {
		pidfd := s.Slot("pidfd")
		s.PidfdOpen(sibling).To(pidfd)
		s.Setns(pidfd, sys.CLONE_NEWUTS)
	})
	s.reap(sibling, true)
	return s
}

// userNamespace tries a user namespace, and an overlay as its root.
func userNamespace(h *Host) *script {
	s := newScript()
	s.must(User, func() { s.enterUser(h.UID, h.GID) })
	s.enterMounts()
	s.memory()
	s.try(OverlayUser, func() { s.mountOverlay("a", "") })
	s.try(OverlayUserxattr, func() { s.mountOverlay("b", ",userxattr") })
	return s
}

// ordinaryUser tries what would become of an ordinary user's attempt at a user namespace. Making it is
// not enough: AppArmor may let it be made and take all rights in it away.
func ordinaryUser() *script {
	s := newScript()
	s.Setgroups(nil)
	s.Setresgid(nobody)
	s.Setresuid(nobody)
	// Else its files in /proc are root's; proc(5).
	s.Prctl(sys.PR_SET_DUMPABLE, tape.Int(1))
	s.try(OrdinaryUser, func() {
		s.enterUser(nobody, nobody)
		s.enterMounts()
	})
	return s
}

// calls tries what needs no namespace.
func calls() *script {
	s := newScript()
	s.try(Clone3, func() {
		pid := s.Slot("pid")
		child, parent := s.Label("child"), s.Label("parent")
		s.Clone3(0, sys.SIGCHLD, tape.Int(0)).To(pid)
		s.If(pid, tape.Int(0), child, parent)
		s.Mark(child)
		s.ExitGroup(tape.Int(0))
		s.Mark(parent)
		s.Wait4(pid, s.Zero(8), sys.WALL)
	})
	s.try(CloseRange, func() { s.CloseRange(1000, 1001, sys.CLOSE_RANGE_CLOEXEC) })
	s.try(SysResource, func() {
		// Down is always allowed, up again only with the capability; getrlimit(2).
		s.Prlimit64(sys.RLIMIT_CORE, 0, 0)
		s.Prlimit64(sys.RLIMIT_CORE, 0, 1)
	})
	s.try(Seccomp, func() {
		const setSeccomp, filterMode = 22, 2
		// One instruction, BPF_RET|BPF_K with SECCOMP_RET_ALLOW; struct sock_fprog has its count first.
		allow := s.Words(tape.Uint(0x0006 | 0x7fff0000<<32))
		s.Prctl(sys.PR_SET_NO_NEW_PRIVS, tape.Int(1))
		s.Prctl(setSeccomp, tape.Int(filterMode), s.Words(tape.Int(1), allow.Addr()).Addr())
	})
	return s
}

// mapped waits in a new user namespace without maps.
func mapped() *script {
	s := newScript()
	s.try(User, func() { s.Unshare(sys.CLONE_NEWUSER).Note("user") })
	s.waitForLeash()
	return s
}

// idMapped tries an idmapped copy of a directory's mount, attached nowhere, with the ids of the user
// namespace that it is given.
func idMapped(h *Host, dir string) *script {
	s := newScript()
	if !h.Privileged {
		s.enterUser(h.UID, h.GID)
		s.enterMounts()
	}
	s.try(IDMapped, func() {
		mnt := s.Slot("mnt")
		s.OpenTree(tape.Cwd, dir, sys.OPEN_TREE_CLONE).To(mnt).Note(dir)
		s.MountSetattr(mnt, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_IDMAP, 0, 0, tape.Int(extraFD)).Note(dir)
	})
	return s
}

// nothing ends at once. That it started is what is tried.
func nothing() *script { return newScript() }
