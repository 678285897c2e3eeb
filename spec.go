package caisson

import (
	"io/fs"
	"time"
)

// Spec describes a container. It is plain data: marshal it, keep it, send it, compile it with Plan. The zero
// value of each field is the default that its comment names, and JSON leaves it out. A copy shares the slices
// and TTY with its original. Compare two by reflect.DeepEqual.
type Spec struct {
	// Name is what package caissontest calls the container in the log of a test. Nothing else uses it yet:
	// the engine does not find containers by it, and several may have the same. It begins with a letter or
	// digit, then come letters, digits, "_", "." and "-", 128 bytes in all. Empty: none; the ID is enough.
	Name string `json:",omitzero"`

	// Image is the root filesystem, as Image.ID gives it. Required; Image.Command fills it in.
	Image string `json:",omitzero"`

	// Args is the program and its arguments. Args[0] without a slash is looked up in the PATH of Env.
	// Empty: the image's entrypoint and command. Source: execve(2), execvp(3).
	Args []string `json:",omitzero"`

	// Env is the environment, each entry "key=value". It is added to the image's, and never taken from
	// the host program's. PATH, HOME and HOSTNAME are filled in where they are missing; environ(7).
	Env []string `json:",omitzero"`

	// Dir is the working directory, made if it is missing. Empty: the image's, else "/".
	Dir string `json:",omitzero"`

	// User is who the program runs as: "user", "uid", "user:group" or "uid:gid", by name or number from
	// the image's /etc/passwd and /etc/group; what is all digits is a number. A uid without an entry there
	// has gid 0. Empty: the image's user, else root. Where one id is mapped (see Support) only root can be.
	// Source: credentials(7), passwd(5).
	User string `json:",omitzero"`

	// Groups are supplementary groups, by name or number, beside those /etc/group gives User. Nil: none.
	// Where one id is mapped there can be none. Source: credentials(7), group(5).
	Groups []string `json:",omitzero"`

	// Hostname is the host name in the container: letters, digits, "-" and "_" in labels of at most 63
	// bytes, joined by dots, 64 bytes in all. Empty: the first twelve characters of the container's ID.
	// Source: sethostname(2), uts_namespaces(7), RFC 1123.
	Hostname string `json:",omitzero"`

	// TTY gives the program a terminal of this size. Its output, errors included, goes to Stdout.
	// Nil: no terminal. Source: pty(7).
	TTY *Winsize `json:",omitzero"`

	// Mounts are attached after /dev, /proc and /sys: those whose target has fewer parts before those
	// that may lie in them, and else in this order. Of several on one target the last one shows. Nil: none.
	Mounts []Mount `json:",omitzero"`

	// ReadOnly makes the root filesystem read-only; Mounts decide for themselves.
	ReadOnly bool `json:",omitzero"`

	// Namespaces says which namespaces are new, the host's, or somebody else's. Zero: all new but time.
	Namespaces Namespaces `json:",omitzero"`

	// Security is what the program may do. Zero: the default profile.
	Security Security `json:",omitzero"`

	// Limits bound what the program uses. Zero: nothing is bounded.
	Limits Limits `json:",omitzero"`

	// Init runs the program under an init as PID 1, which passes signals on, reaps orphans and ends with
	// the program's status. A program that is PID 1 itself gets only the signals that it handles.
	// Source: pid_namespaces(7).
	Init bool `json:",omitzero"`

	// StopSignal is what Stop sends first, a number or a name such as "SIGTERM", "TERM" or "SIGRTMIN+3".
	// Empty: the image's, else SIGTERM. Source: signal(7).
	StopSignal string `json:",omitzero"`

	// StopTimeout is how long Stop waits before it kills; in JSON in nanoseconds. Zero: ten seconds.
	StopTimeout time.Duration `json:",omitzero"`

	// Trace measures when each step of the start begins, for Container.Timings. It costs a system call
	// a step.
	Trace bool `json:",omitzero"`
}

// Winsize is the size of a terminal in characters; ioctl_tty(2).
type Winsize struct {
	Rows uint16 `json:",omitzero"` // lines
	Cols uint16 `json:",omitzero"` // characters in a line
}

// MountType says what is mounted.
type MountType string

// The types of mount. The zero value is MountBind.
const (
	MountBind  MountType = "bind"  // a file or directory of the host; mount(2), "Creating a bind mount"
	MountTmpfs MountType = "tmpfs" // empty memory that ends with the container; tmpfs(5)
)

// Propagation says whether what is mounted later below one side of a bind mount appears on the other.
// "rprivate", "rslave" and "rshared", as Docker has them, are accepted too: all mounts below Source are
// always meant, unless Mount.Flat leaves them out. Source: mount_namespaces(7), "Shared subtrees".
type Propagation string

// The kinds of propagation. The zero value is PropagationPrivate.
const (
	PropagationPrivate Propagation = "private" // neither way
	PropagationSlave   Propagation = "slave"   // from the host to the container
	PropagationShared  Propagation = "shared"  // both ways
)

// Mount is something attached to the container's root filesystem.
//
// Setuid programs and device files in it have no effect unless Suid or Dev is set. A field that does not
// belong to the type must be zero.
type Mount struct {
	Type MountType `json:",omitzero"` // "": MountBind

	// Source is a path of the host for MountBind, which must exist; symbolic links in it are followed.
	Source string `json:",omitzero"`

	// Target is an absolute path in the container, made if it is missing: a file for a source that is
	// none, else a directory. Symbolic links in it are followed within the container. Refused are /, /dev,
	// /dev/null, and /proc, /sys and /dev/pts with what lies below.
	Target string `json:",omitzero"`

	ReadOnly bool `json:",omitzero"` // no writing, through any mount below it either
	NoExec   bool `json:",omitzero"` // no program in it can be executed
	Suid     bool `json:",omitzero"` // let setuid programs and file capabilities in it work
	Dev      bool `json:",omitzero"` // let device files in it work

	// Flat leaves out what is mounted below Source. Only for MountBind.
	Flat bool `json:",omitzero"`

	// Propagation says whether later mounts below Source appear in the container, or both ways. Only for
	// MountBind. Empty: PropagationPrivate.
	Propagation Propagation `json:",omitzero"`

	// IDs shows files with other owners, users and groups alike, and stores what the container makes with
	// the original ones. It needs privilege and a filesystem that can: ext4, xfs, btrfs since 5.15, tmpfs
	// since 6.3; mount_setattr(2), "ID-mapped mounts". Only for MountBind. Empty: the owners as they are.
	IDs []IDMapping `json:",omitzero"`

	// Size bounds the contents in bytes. Only for MountTmpfs. Zero: half of the machine's memory, the
	// kernel's default.
	Size int64 `json:",omitzero"`

	// Mode is the permission of the root directory, with the sticky and setgid bits, either as fs.ModeSticky
	// and fs.ModeSetgid or as the kernel's 0o1000 and 0o2000. Only for MountTmpfs. Zero: 0o1777.
	Mode fs.FileMode `json:",omitzero"`
}

// IDMapping maps Count ids: what Source, Source+1 and so on own in the source of a mount appears as owned
// by Target, Target+1 and so on. Owners that no mapping names appear as nobody (65534).
type IDMapping struct {
	Source uint32 `json:",omitzero"` // the first id on disk
	Target uint32 `json:",omitzero"` // the first id in the container
	Count  uint32 `json:",omitzero"` // how many
}

// Limits bound what a container uses. A limit that cannot be applied fails Start.
type Limits struct {
	// Memory is the hard limit in bytes of memory, swap included. Reaching it invokes the OOM killer
	// inside the container. Zero: none. Kernel: admin-guide/cgroup-v2.rst, memory.max.
	Memory int64 `json:",omitzero"`

	// CPU is how many processors' time the container may use, such as 0.5. Zero: all.
	// Kernel: admin-guide/cgroup-v2.rst, cpu.max.
	CPU float64 `json:",omitzero"`

	// Processes bounds how many processes and threads there are at once. Zero: for a container the default,
	// which today is no bound and will be 2048; for a Cgroup no bound. Negative numbers are refused; -1 is
	// reserved to mean no bound everywhere.
	// Kernel: admin-guide/cgroup-v2.rst, pids.max.
	Processes int64 `json:",omitzero"`
}

// none tells whether no limit is set.
func (l *Limits) none() bool { return *l == Limits{} }

// Security is what a program may do to the system. The zero value is the default profile: nine
// capabilities, no new privileges, no setuid programs, no device files but the harmless six, and
// /proc and /sys without what tells about the machine.
type Security struct {
	// DropCapabilities are taken from the nine: by name, with or without CAP_, or "ALL". Nil: none.
	// Source: capabilities(7).
	DropCapabilities []string `json:",omitzero"`

	// AddCapabilities are added after that, by name as above. Nil: none.
	AddCapabilities []string `json:",omitzero"`

	// NewPrivileges lets setuid programs and file capabilities raise privileges, within the
	// capabilities above. Kernel: userspace-api/no_new_privs.rst.
	NewPrivileges bool `json:",omitzero"`
}

// defaultCapabilities let unmodified servers start: change owners, drop root, bind port 80, chroot.
var defaultCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE", "SYS_CHROOT",
}

// Namespaces is the choice for each kind of namespace; namespaces(7). The zero value makes all anew but
// time, and a user namespace where the host program is not privileged.
type Namespaces struct {
	Mount  NamespaceMode `json:",omitzero"` // mount points; never the host's
	PID    NamespaceMode `json:",omitzero"` // process ids; with the host's, only the first process is killed by Close
	Net    NamespaceMode `json:",omitzero"` // devices, addresses, ports; a new one has loopback alone
	IPC    NamespaceMode `json:",omitzero"` // System V IPC, POSIX message queues
	UTS    NamespaceMode `json:",omitzero"` // host name
	User   NamespaceMode `json:",omitzero"` // user and group ids
	Cgroup NamespaceMode `json:",omitzero"` // what the root of the cgroups is
	Time   NamespaceMode `json:",omitzero"` // boot and monotonic clocks; by default the host's
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
