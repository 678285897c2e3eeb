package plan

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

const apiAttrs = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC

// device is a node of /dev; Documentation/admin-guide/devices.txt.
type device struct {
	name         string
	major, minor uint32
}

var devices = []device{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// links are the symbolic links of /dev that programs expect; runtime-spec, config-linux.md, "Default Devices".
var links = [][2]string{
	{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
	{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
}

// detachAPI makes the kernel's own filesystems while the host's are still in sight: in a user namespace
// the kernel gives a new proc or sysfs only to who sees an old one unmasked (mount_too_revealing).
func (b *builder) detachAPI() {
	n := &b.c.Namespaces
	b.step("mount", "proc, detached", "proc(5); shows the processes of the pid namespace")
	if n.PID.Mode == Host && b.unprivileged() || !b.c.Features.ProcMount {
		b.proc = b.clone("/proc", 0)
	} else {
		b.proc = b.filesystem("proc", apiAttrs)
	}
	b.step("mount", "sysfs, detached, read-only", "sysfs(5); belongs to the network namespace")
	if b.sysfsOfHost() {
		b.sysfs = b.clone("/sys", sys.MOUNT_ATTR_RDONLY)
	} else {
		b.sysfs = b.filesystem("sysfs", apiAttrs|sys.MOUNT_ATTR_RDONLY)
	}
	if b.c.Features.Mqueue && n.IPC.Mode == New {
		b.step("mount", "mqueue, detached", "mq_overview(7)")
		b.mqueue = b.filesystem("mqueue", apiAttrs)
	}
	b.detachDev()
}

// sysfsOfHost tells whether /sys must be a copy of the host's, with the cgroups of everybody mounted below
// it: only who owns the network namespace may make one.
func (b *builder) sysfsOfHost() bool { return b.c.Namespaces.Net.Mode != New && b.unprivileged() }

// clone copies a mount of the host's with all below it.
func (b *builder) clone(path string, attrs uint64) tape.Arg {
	fd := b.Slot("clone")
	b.OpenTree(tape.Cwd, path, sys.OPEN_TREE_CLONE|sys.AT_RECURSIVE).To(fd)
	b.MountSetattr(fd, "", sys.AT_EMPTY_PATH|sys.AT_RECURSIVE, attrs, 0, sys.MS_PRIVATE, tape.Int(0))
	return fd
}

// detachDev makes /dev: a small tmpfs with six devices and the usual links.
func (b *builder) detachDev() {
	b.step("mount", "tmpfs with the devices null zero full random urandom tty, detached", "tmpfs(5), mknod(2)")
	b.dev = b.filesystem("tmpfs", sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NOEXEC|sys.MOUNT_ATTR_STRICTATIME,
		param{"mode", "755"}, param{"size", "64k"})
	for _, d := range devices {
		if !b.unprivileged() {
			b.Mknodat(b.dev, d.name, sys.S_IFCHR|0o666, sys.Makedev(d.major, d.minor))
			continue
		}
		// A user namespace may not make devices; it may show the host's, which are the same files.
		b.Mknodat(b.dev, d.name, sys.S_IFREG|0o666, 0)
		fd := b.Slot(d.name)
		b.OpenTree(tape.Cwd, "/dev/"+d.name, sys.OPEN_TREE_CLONE).To(fd)
		// Read-only says nothing about the device, but keeps its mode and owner, which are the host's.
		b.MountSetattr(fd, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY|sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NOEXEC, 0, 0, tape.Int(0))
		b.nodes = append(b.nodes, fd)
	}
	for _, l := range links {
		b.Symlinkat(l[0], b.dev, l[1])
	}
	for _, d := range []string{"pts", "shm", "mqueue"} {
		b.Mkdirat(b.dev, d, 0o755)
	}
}

// api attaches the kernel's filesystems to the new root.
func (b *builder) api() {
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	b.step("move_mount", "/dev", "move_mount(2); null(4), tty(4)")
	b.place(b.dev, "/dev")
	for i, fd := range b.nodes {
		b.MoveMount(fd, tape.Cwd, "/dev/"+devices[i].name, 0)
	}
	b.pts()
	b.step("mount", "/dev/shm tmpfs", "shm_overview(7)")
	b.MoveMount(b.filesystem("tmpfs", apiAttrs, param{"mode", "1777"}, param{"size", "64m"}), tape.Cwd, "/dev/shm", 0)
	if b.mqueue != (tape.Arg{}) {
		b.MoveMount(b.mqueue, tape.Cwd, "/dev/mqueue", 0)
	}
	b.step("move_mount", "/proc", "proc(5)")
	b.place(b.proc, "/proc")
	b.step("move_mount", "/sys", "sysfs(5)")
	b.place(b.sysfs, "/sys")
	if b.ownCgroups() {
		b.step("mount", "/sys/fs/cgroup cgroup2, read-only", "cgroups(7), cgroup_namespaces(7)")
		b.MoveMount(b.filesystem("cgroup2", apiAttrs|sys.MOUNT_ATTR_RDONLY), tape.Cwd, "/sys/fs/cgroup", 0)
	}
}

// null opens the container's own /dev/null for the standard files that have nothing else. The host's, which
// holds their places until now, would let root in the container change the mode of a file that everybody on
// the host needs.
func (b *builder) null() {
	if b.c.Null == [3]bool{} || b.c.TTY != nil {
		return
	}
	b.step("open", "/dev/null, the container's own, for standard files", "null(4), fchmod(2)")
	fd := b.Slot("null")
	// A container that runs may have put a link in its place, to what only this process could open.
	b.Openat2(tape.Cwd, "/dev/null", sys.O_RDWR|sys.O_CLOEXEC, 0, sys.RESOLVE_NO_SYMLINKS).To(fd)
	for i, own := range b.c.Null {
		if own {
			b.Dup3(fd, tape.Int(i), 0)
		}
	}
	b.Close(fd)
}

// ownCgroups tells whether the container gets a view of its own cgroup.
func (b *builder) ownCgroups() bool {
	return b.c.Features.Cgroup2 && b.c.Namespaces.Cgroup.Mode == New
}

// pts mounts the pseudoterminals; Documentation/filesystems/devpts.rst. Group 5 is tty on every
// distribution, and owns terminals so that write(1) can be setgid tty; where it is not mapped they
// belong to the user's own group.
func (b *builder) pts() {
	b.step("mount", "/dev/pts devpts, a new instance", "Documentation/filesystems/devpts.rst")
	params := []param{{"ptmxmode", "0666"}, {"mode", "0620"}}
	if !b.unprivileged() || b.c.Namespaces.User.HasGID5 {
		params = append(params, param{"gid", "5"})
	}
	b.MoveMount(b.filesystem("devpts", sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NOEXEC, params...), tape.Cwd, "/dev/pts", 0)
}

// place attaches a mount at a directory of the root. The last component is not followed if it is a
// symbolic link: then this fails with ENOTDIR, and nothing of an image's choosing is covered.
func (b *builder) place(mnt tape.Arg, at string) {
	b.Mkdirat(tape.Cwd, at, 0o755).Allow(sys.EEXIST)
	b.MoveMount(mnt, tape.Cwd, at, 0)
}
