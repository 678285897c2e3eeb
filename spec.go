package caisson

import (
	"io/fs"
	"time"
)

// Spec describes a container. It is plain data: copy it, marshal it, compare it, compile it with Plan.
// The zero value of each field is the default that its comment names.
type Spec struct {
	// Name is the container's name among its engine's. Empty: none; the ID is enough.
	Name string

	// Image is the root filesystem, as Image.ID gives it. Required; Image.Command fills it in.
	Image string

	// Args is the program and its arguments. Args[0] without a slash is looked up in the PATH of Env.
	// Empty: the image's entrypoint and command.
	Args []string

	// Env is the environment, each entry "key=value". It is added to the image's, and never taken from
	// the host program's. PATH, HOME and HOSTNAME are filled in where they are missing.
	Env []string

	// Dir is the working directory, made if it is missing. Empty: the image's, else "/".
	Dir string

	// User is who the program runs as: "user", "uid", "user:group" or "uid:gid", by name or number from
	// the image's /etc/passwd and /etc/group. Empty: the image's user, else root.
	User string

	// Groups are supplementary groups, by name or number, beside those /etc/group gives User.
	Groups []string

	// Hostname is the host name in the container, at most 64 bytes. Empty: the first twelve characters
	// of its ID.
	Hostname string

	// TTY gives the program a terminal of this size. Its output, errors included, goes to Stdout.
	// Nil: no terminal.
	TTY *Winsize

	// Mounts are attached in this order, after /dev, /proc and /sys.
	Mounts []Mount

	// ReadOnly makes the root filesystem read-only; Mounts decide for themselves.
	ReadOnly bool

	// Namespaces says which namespaces are new, the host's, or somebody else's. Zero: all new but time.
	Namespaces Namespaces

	// Security is what the program may do. Zero: the default profile.
	Security Security

	// Limits bound what the program uses. Zero: nothing is bounded.
	Limits Limits

	// Init runs the program under an init as PID 1, which passes signals on and reaps orphans.
	Init bool

	// StopSignal is what Stop sends first, a number or a name such as "SIGTERM". Empty: the image's,
	// else SIGTERM.
	StopSignal string

	// StopTimeout is how long Stop waits before it kills. Zero: ten seconds.
	StopTimeout time.Duration

	// Trace measures when each step of the start begins, for Container.Timings. It costs a system call
	// a step.
	Trace bool
}

// Winsize is the size of a terminal in characters; ioctl_tty(2).
type Winsize struct {
	Rows uint16 // lines
	Cols uint16 // characters in a line
}

// MountType says what is mounted.
type MountType string

// The types of mount. The zero value is MountBind.
const (
	MountBind  MountType = "bind"  // a file or directory of the host; mount(2), "Creating a bind mount"
	MountTmpfs MountType = "tmpfs" // empty memory that ends with the container; tmpfs(5)
)

// Mount is something attached to the container's root filesystem.
//
// Setuid programs and device files in it have no effect unless Suid or Dev is set.
type Mount struct {
	Type MountType // "": MountBind

	// Source is a path of the host for MountBind; symbolic links in it are followed.
	Source string

	// Target is an absolute path in the container, made if it is missing. Symbolic links in it are
	// followed within the container. /proc and /sys, and what lies below, are refused.
	Target string

	ReadOnly bool // no writing, through any mount below it either
	NoExec   bool // no program in it can be executed
	Suid     bool // let setuid programs and file capabilities in it work
	Dev      bool // let device files in it work

	// Flat leaves out what is mounted below Source.
	Flat bool

	// Propagation says whether later mounts below Source appear in the container, "slave", or both
	// ways, "shared"; mount_namespaces(7). Empty: "private", neither way.
	Propagation string

	// IDs shows a bind mount's files with other owners, users and groups alike, and stores what the
	// container makes with the original ones. It needs privilege and a filesystem that can: ext4, xfs,
	// btrfs since 5.15, tmpfs since 6.3; mount_setattr(2), "ID-mapped mounts". Empty: the owners as they are.
	IDs []IDMapping

	// Size bounds a tmpfs in bytes. Zero: half of the machine's memory, the kernel's default.
	Size int64

	// Mode is the permission of a tmpfs's root. Zero: 1777.
	Mode fs.FileMode
}

// IDMapping maps Count ids: what Source, Source+1 and so on own in the source of a mount appears as owned
// by Target, Target+1 and so on. Owners that no mapping names appear as nobody (65534).
type IDMapping struct {
	Source uint32 // the first id on disk
	Target uint32 // the first id in the container
	Count  uint32 // how many
}

// Limits bound what a container uses. A limit that cannot be applied fails Start.
type Limits struct {
	// Memory is the hard limit in bytes of memory, swap included. Reaching it invokes the OOM killer
	// inside the container. Zero: none. Kernel: admin-guide/cgroup-v2.rst, memory.max.
	Memory int64

	// CPU is how many processors' time the container may use, such as 0.5. Zero: all.
	// Kernel: admin-guide/cgroup-v2.rst, cpu.max.
	CPU float64

	// Processes bounds how many processes and threads there are at once. Zero: no bound of its own.
	// Kernel: admin-guide/cgroup-v2.rst, pids.max.
	Processes int64
}

// none tells whether no limit is set.
func (l *Limits) none() bool { return *l == Limits{} }

// Security is what a program may do to the system. The zero value is the default profile: nine
// capabilities, no new privileges, no setuid programs, no device files but the harmless six, and
// /proc and /sys without what tells about the machine.
type Security struct {
	// Add and Drop change the capabilities, by name without CAP_, or "ALL"; capabilities(7).
	// Drop happens first.
	Add, Drop []string

	// NewPrivileges lets setuid programs and file capabilities raise privileges, within the
	// capabilities above. Kernel: userspace-api/no_new_privs.rst.
	NewPrivileges bool
}

// defaultCapabilities let unmodified servers start: change owners, drop root, bind port 80, chroot.
var defaultCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE", "SYS_CHROOT",
}

// Namespaces is the choice for each kind of namespace; namespaces(7). The zero value makes all anew but
// time, and a user namespace where the host program is not privileged.
type Namespaces struct {
	Mount  NamespaceMode // mount points; never the host's
	PID    NamespaceMode // process ids; with the host's, only the first process is killed by Close
	Net    NamespaceMode // devices, addresses, ports; a new one has loopback alone
	IPC    NamespaceMode // System V IPC, POSIX message queues
	UTS    NamespaceMode // host name
	User   NamespaceMode // user and group ids
	Cgroup NamespaceMode // what the root of the cgroups is
	Time   NamespaceMode // boot and monotonic clocks; by default the host's
}

// NamespaceMode says where a namespace comes from: one of the constants, or NamespaceOf, NamespaceAt.
type NamespaceMode string

// The simple modes.
const (
	NamespaceDefault NamespaceMode = ""     // new; for time, the host's; for user, as it must be
	NamespaceNew     NamespaceMode = "new"  // made for the container
	NamespaceHost    NamespaceMode = "host" // the host program's
)

// NamespaceOf is the namespace of a running process, by its pid in the host program's pid namespace.
// For another container's use its Pid.
func NamespaceOf(pid int) NamespaceMode { return NamespaceMode("pid:" + itoa(pid)) }

// NamespaceAt is the namespace that a file of /proc/PID/ns, or a bind mount of one, stands for.
func NamespaceAt(path string) NamespaceMode { return NamespaceMode("path:" + path) }
