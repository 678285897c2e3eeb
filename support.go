package caisson

import (
	"io/fs"
	"iter"

	"github.com/caisson-go/caisson/internal/plan"
)

// IDRange is a range of user or group ids; subuid(5).
type IDRange struct {
	Start uint32 // the first id
	Count uint32 // how many there are
}

// HostEntryKind is how Engine.Host shows a name of the host.
type HostEntryKind string

// The kinds of entry.
const (
	HostOverlay HostEntryKind = "overlay" // the directory with a writable layer above it
	HostMount   HostEntryKind = "mount"   // the same of what is mounted there; left out if overlay does not take its filesystem
	HostBind    HostEntryKind = "bind"    // the directory as it is, read-only
	HostFile    HostEntryKind = "file"    // the file as it is, read-only
	HostLink    HostEntryKind = "link"    // a symbolic link
	HostEmpty   HostEntryKind = "empty"   // an empty directory
)

// HostEntry is a name in the root directory of the host, or in another directory, and how Engine.Host shows it.
type HostEntry struct {
	Name   string        // without slash; of those in Below the path from the directory on
	Kind   HostEntryKind // "": HostOverlay
	Target string        // of a link
	Below  []HostEntry   // what is mounted below it and shown too

	// Locked tells that something is mounted below it. A user namespace cannot take such a directory without its
	// mounts; there it is made of Parts.
	Locked bool
	Parts  []HostEntry // the names in it
}

// HostDir is a directory of the host that a container's layer has one of its own for, which must look the same: one
// that Engine.Host shows, or in which it hides something.
type HostDir struct {
	Path string      // absolute
	Mode fs.FileMode // permissions, setgid and sticky bit
	UID  int         // its owner
	GID  int         // its group
}

// KernelSupport is the optional abilities of a kernel. Each one that is missing has a fallback.
type KernelSupport struct {
	OverlayFsconfig bool // overlay by fsopen(2), since 6.5; else by mount(2)
	OverlayLowerAdd bool // overlay's lowerdir+, since 6.7; else one list of all layers
	PivotRoot       bool // false on an initramfs; else chroot(2)
	Cgroup2         bool // /sys/fs/cgroup is the unified hierarchy; cgroups(7)
	Mqueue          bool // POSIX message queues; mq_overview(7)
	ProcMount       bool // a new proc can be mounted; false below a masked one
}

func (k KernelSupport) features() plan.Features { return plan.Features(k) }

// Support is what this host can do for containers. The first part is what Spec.Plan goes by, and is all
// that has to be filled in for it; the features are for people and for programs that want to know
// beforehand, and only Probe fills them in. A feature that nobody tried is FeatureUnknown.
type Support struct {
	Privileged bool          // root with CAP_SYS_ADMIN on the machine itself: no user namespace is needed
	UID, GID   int           // who the host program is
	SubUIDs    []IDRange     // subordinate user ids, and newuidmap(1) to use them
	SubGIDs    []IDRange     // subordinate group ids
	Kernel     KernelSupport // its optional abilities
	HostRoot   []HostEntry   // the host's root directory
	HostHidden []string      // paths of the host that Engine.Host does not show
	HostDirs   []HostDir     // directories whose mode and owner it keeps; 0755 and root for others

	// Release is the kernel's release, such as "6.12.9". Nothing is decided by it.
	Release string

	// Container is a whole container of Engine.Host, started up to the point where its program would
	// be executed. If it works, containers can run here, whatever else fails.
	Container Feature

	Namespaces  NamespaceSupport  // which can be made
	Filesystems FilesystemSupport // what can be mounted
	Cgroups     CgroupSupport     // what can be limited
	IDs         IDSupport         // which ids can be mapped
	Processes   ProcessSupport    // starting programs and holding on to them
	Security    SecuritySupport   // what confines programs
}

// NamespaceSupport is which namespaces the host program can make, without privilege in a user namespace
// of its own; namespaces(7).
type NamespaceSupport struct {
	Mount  Feature // mount points
	PID    Feature // process ids
	Net    Feature // network devices, addresses, ports
	IPC    Feature // System V IPC, POSIX message queues
	UTS    Feature // the host name
	Cgroup Feature // what the cgroup's root is
	Time   Feature // boot and monotonic clocks
	User   Feature // user and group ids, with one id mapped

	// OrdinaryUser is a user namespace with rights in it, made by a user without privilege: for root,
	// whether others could run containers here.
	OrdinaryUser Feature

	Setns Feature // entering by pidfd, all kinds in one call; setns(2)
}

// FilesystemSupport is what can be mounted, without privilege in a user namespace.
type FilesystemSupport struct {
	MountAPI     Feature // fsopen(2), fsmount(2), move_mount(2)
	MountSetattr Feature // mount_setattr(2)
	Tmpfs        Feature // tmpfs(5)
	TmpfsXattr   Feature // user.* attributes on tmpfs, which overlays in memory need for whole directories
	Proc         Feature // a new proc(5), which masks over the old one forbid
	Sysfs        Feature // a new sysfs(5), read-only
	Devpts       Feature // a new instance of pseudoterminals
	Mqueue       Feature // POSIX message queues; mq_overview(7)
	Cgroup2      Feature // the unified hierarchy; cgroups(7)
	PivotRoot    Feature // pivot_root(2), which an initramfs refuses

	Overlay          Feature // overlayfs as a container of this program has it
	OverlayUser      Feature // in a user namespace, without option
	OverlayUserxattr Feature // in a user namespace, with the option userxattr
	OverlayFsconfig  Feature // configured by fsconfig(2)
	OverlayLowerAdd  Feature // and its layers one by one
	OverlayFD        Feature // and these by descriptor, not by path
	OverlayState     Feature // with the writable layer in the default state directory

	IDMapped Feature // a mount of the default state directory with other owners; mount_setattr(2)
}

// CgroupMode is which versions of control groups a host has mounted; cgroups(7).
type CgroupMode string

// The modes.
const (
	CgroupNone   CgroupMode = ""       // none
	CgroupV2     CgroupMode = "v2"     // the unified hierarchy alone
	CgroupV1     CgroupMode = "v1"     // version 1 alone
	CgroupHybrid CgroupMode = "hybrid" // both
)

// CgroupSupport is what can be limited, and how.
type CgroupSupport struct {
	Mode    CgroupMode // which versions there are
	Mounted Feature    // some hierarchy is
	Make    Feature    // cgroups of its own for a container
	Memory  Feature    // Limits.Memory
	CPU     Feature    // Limits.CPU
	Pids    Feature    // Limits.Processes
	Kill    Feature    // cgroup.kill, which ends all processes of a cgroup at once
	Into    Feature    // CLONE_INTO_CGROUP, starting a process in a cgroup; clone3(2)
}

// IDSupport is whether an ordinary user can map more ids than its own; user_namespaces(7).
type IDSupport struct {
	Newuidmap Feature // the program newuidmap(1)
	Newgidmap Feature // the program newgidmap(1)
	SubUIDs   Feature // a line in subuid(5)
	SubGIDs   Feature // a line in subgid(5)
	Maps      Feature // the maps of a user namespace, written with all of them
}

// ProcessSupport is about starting programs and holding on to them.
type ProcessSupport struct {
	Clone3     Feature // clone3(2)
	Pidfd      Feature // pidfd_open(2)
	WaitPidfd  Feature // waitid(2) with P_PIDFD
	CloseRange Feature // close_range(2) with CLOSE_RANGE_CLOEXEC
	Openat2    Feature // openat2(2) with RESOLVE_IN_ROOT
	MemfdExec  Feature // a program in memory; else it is a file in the state directory
	MemfdSeal  Feature // and nobody can write to it; memfd_create(2)
	Resource   Feature // CAP_SYS_RESOURCE, for rlimits above the host program's own
	Binfmt     Feature // programs of other processors, by binfmt_misc
}

// SecuritySupport is what confines a container, and the host program.
type SecuritySupport struct {
	Seccomp  Feature // filters of system calls; seccomp(2)
	Landlock Feature // access rights that a program gives up itself; landlock(7)
	AppArmor string  // the host program's AppArmor profile; "" where AppArmor is off
	SELinux  string  // "enforcing", "permissive", or "" where SELinux is off
}

// Features are all features that were tried, in the order of String, each with the title of its group.
func (s *Support) Features() iter.Seq2[string, Feature] {
	return func(yield func(string, Feature) bool) {
		for _, g := range s.groups() {
			for _, e := range g.entries {
				if e.feature.Name != "" && !yield(g.title, *e.feature) {
					return
				}
			}
		}
	}
}
