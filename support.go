package caisson

import "github.com/caisson-go/caisson/internal/plan"

// IDRange is a range of user or group ids; subuid(5).
type IDRange struct{ Start, Count uint32 }

// HostEntry is a name in the root directory of the host, and how Engine.Host shows it.
type HostEntry struct {
	Name   string   // without slash
	Kind   string   // "overlay", "bind", "link" or "empty"
	Target string   // of a link
	Below  []string // of an overlay: mounts below it that are shown too, read-only
}

// Kernel is the optional abilities of a kernel. Each one that is missing has a fallback.
type Kernel struct {
	OverlayFsconfig bool // overlay by fsopen(2), since 6.5; else by mount(2)
	OverlayLowerAdd bool // overlay's lowerdir+, since 6.7; else one list of all layers
	PivotRoot       bool // false on an initramfs; else chroot(2)
	Cgroup2         bool // /sys/fs/cgroup is the unified hierarchy; cgroups(7)
	Mqueue          bool // POSIX message queues; mq_overview(7)
	ProcMount       bool // a new proc can be mounted; false below a masked one
}

func (k Kernel) features() plan.Features { return plan.Features(k) }

// Support is what this host can do for containers.
type Support struct {
	Privileged bool      // root with CAP_SYS_ADMIN: no user namespace is needed
	UID, GID   int       // who the host program is
	SubUIDs    []IDRange // subordinate user ids, and newuidmap(1) to use them
	SubGIDs    []IDRange // subordinate group ids
	Kernel     Kernel
	HostRoot   []HostEntry // the host's root directory
	HostHidden []string    // paths of the host that Engine.Host does not show
}
