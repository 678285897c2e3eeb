package plan

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// A mount namespace begins as a copy of all the host's mounts, every one of which is then unmounted, and the kernel
// waits until no processor can be looking at them any more (an RCU grace period, in namespace_unlock). None of that
// is needed for a container of layers: the kernel makes its mounts detached, reachable by a descriptor alone. So,
// where the host program passes a namespace with nothing in it, the process makes its detached mounts among the
// host's, then enters the empty namespace, makes a copy of that for itself, and only then attaches anything.

// CompileEmpty is a plan that makes a mount namespace with an empty root that nothing can be written to, and sends
// it, open, over the control socket.
func CompileEmpty(c *Config) *Plan {
	b := newBuilder(c)
	b.assignControl()
	b.begin()
	b.step("unshare", "mnt", "unshare(2), mount_namespaces(7)")
	b.Unshare(sys.CLONE_NEWNS)
	b.private()
	b.step("open", "/proc/self/ns/mnt", "namespaces(7)")
	ns := b.Slot("ns")
	b.Openat(tape.Cwd, "/proc/self/ns/mnt", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(ns)
	b.step("mount", "/ an empty tmpfs, read-only", "tmpfs(5)")
	b.root = b.filesystem("tmpfs", apiAttrs|sys.MOUNT_ATTR_RDONLY, param{"mode", "555"}, param{"size", "4k"}, param{"ro", ""})
	b.MoveMount(b.root, tape.Cwd, "/", 0)
	b.step("pivot_root", ". .", "pivot_root(2)")
	b.Fchdir(b.root)
	b.PivotRoot(".", ".")
	b.Umount2(".", sys.MNT_DETACH)
	b.SendFD(tape.Int(b.p.FDs.Control), "e", ns)
	b.ExitGroup(tape.Int(0))
	b.end()
	return b.p
}

// startsEmpty tells whether the container's mounts can all be made detached: a user namespace has no rights among
// the host's mounts, a layer in memory needs a path, and so does an overlay of kernels before 6.5.
func (b *builder) startsEmpty() bool {
	c := b.c
	return c.Empty && !b.unprivileged() && !c.Root.Memory && b.params != nil
}

// enterEmpty goes to an own copy of the empty namespace and puts the root over its root. What lies below can be
// reached by nobody, as the root of a namespace is what hangs topmost there, and is empty.
func (b *builder) enterEmpty() {
	b.step("setns", "mnt: an empty one", "setns(2), mount_namespaces(7)")
	b.Setns(tape.Int(b.p.FDs.Empty), sys.CLONE_NEWNS)
	b.step("unshare", "mnt", "unshare(2): a copy of it")
	b.Unshare(sys.CLONE_NEWNS)
	b.step("move_mount", "/", "move_mount(2), chroot(2)")
	b.MoveMount(b.root, tape.Cwd, "/", 0)
	b.Fchdir(b.root)
	b.Chroot(".")
	b.Chdir("/")
}
