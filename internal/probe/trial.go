package probe

// ID names one trial.
type ID uint8

// The trials.
const (
	None ID = iota // stands for no trial

	Mount
	PID
	Net
	IPC
	UTS
	Cgroup
	Time
	User
	OrdinaryUser
	SetnsPidfd

	MountAPI
	MountSetattr
	Tmpfs
	TmpfsXattr
	Proc
	Sysfs
	Devpts
	Mqueue
	CgroupFS
	PivotRoot
	Overlay
	OverlayUser
	OverlayUserxattr
	OverlayFsconfig
	OverlayLowerAdd
	OverlayFD
	OverlayState
	IDMapped

	CgroupTree
	CgroupMake
	CgroupKill
	CgroupInto
	LimitMemory
	LimitCPU
	LimitPids

	Newuidmap
	Newgidmap
	SubUID
	SubGID
	IDMaps

	Clone3
	Pidfd
	WaitPidfd
	CloseRange
	Openat2
	MemfdExec
	MemfdSeal
	SysResource
	Binfmt

	Seccomp
	Landlock

	numTrials
)

// about is what there is to say about a trial beforehand.
type about struct {
	name  string
	since string // the first kernel release with it; a label for people, nothing is decided by it
	needs []ID   // what must work for its failure to mean anything; see needs
}

var trials = [numTrials]about{
	Mount:        {"mnt namespace", "2.4.19", nil},
	PID:          {"pid namespace", "2.6.24", nil},
	Net:          {"net namespace", "2.6.29", nil},
	IPC:          {"ipc namespace", "2.6.19", nil},
	UTS:          {"uts namespace", "2.6.19", nil},
	Cgroup:       {"cgroup namespace", "4.6", nil},
	Time:         {"time namespace", "5.6", nil},
	User:         {"user namespace", "3.8", nil},
	OrdinaryUser: {"user namespace of an ordinary user", "3.8", nil},
	SetnsPidfd:   {"setns by pidfd", "5.8", []ID{UTS, Clone3, Pidfd}},

	MountAPI:         {"fsopen, fsmount, move_mount", "5.2", []ID{Mount}},
	MountSetattr:     {"mount_setattr", "5.12", []ID{Mount, MountAPI}},
	Tmpfs:            {"tmpfs mounted", "2.4", []ID{Mount, MountAPI}},
	TmpfsXattr:       {"tmpfs, user attributes", "6.6", nil},
	Proc:             {"proc mounted", "1.0", []ID{Mount, PID, MountAPI, Clone3}},
	Sysfs:            {"sysfs mounted", "2.6", []ID{Mount, Net, MountAPI}},
	Devpts:           {"devpts mounted", "4.7", []ID{Mount, MountAPI}},
	Mqueue:           {"mqueue mounted", "2.6.6", []ID{Mount, IPC, MountAPI}},
	CgroupFS:         {"cgroup2 mounted", "4.6", []ID{Mount, Cgroup, MountAPI}},
	PivotRoot:        {"pivot_root", "2.3.41", []ID{Mount, MountAPI}},
	Overlay:          {"overlay", "3.18", []ID{Mount, MountAPI}},
	OverlayUser:      {"overlay in a user namespace", "5.11", []ID{User, Mount, MountAPI}},
	OverlayUserxattr: {"overlay with userxattr", "5.11", []ID{User, Mount, MountAPI}},
	OverlayFsconfig:  {"overlay by fsconfig", "6.5", []ID{Overlay}},
	OverlayLowerAdd:  {"overlay by fsconfig, lowerdir+", "6.7", []ID{Overlay}},
	OverlayFD:        {"overlay by fsconfig, layers by descriptor", "6.13", []ID{Overlay}},
	OverlayState:     {"overlay above the state directory", "3.18", []ID{Overlay}},
	IDMapped:         {"idmapped mounts of the state directory", "5.12", []ID{IDMaps, MountAPI}},

	CgroupTree:  {"cgroups mounted", "2.6.24", nil},
	CgroupMake:  {"own cgroups", "2.6.24", []ID{CgroupTree}},
	CgroupKill:  {"cgroup.kill", "5.14", nil},
	CgroupInto:  {"CLONE_INTO_CGROUP", "5.7", nil},
	LimitMemory: {"limits of memory", "2.6.25", []ID{CgroupTree}},
	LimitCPU:    {"limits of cpu", "3.2", []ID{CgroupTree}},
	LimitPids:   {"limits of processes", "4.3", []ID{CgroupTree}},

	Newuidmap: {"newuidmap", "", nil},
	Newgidmap: {"newgidmap", "", nil},
	SubUID:    {"range in /etc/subuid", "", nil},
	SubGID:    {"range in /etc/subgid", "", nil},
	IDMaps:    {"maps of a range", "3.8", []ID{User}},

	Clone3:      {"clone3", "5.3", nil},
	Pidfd:       {"pidfd_open", "5.3", nil},
	WaitPidfd:   {"waitid by pidfd", "5.4", nil},
	CloseRange:  {"close_range, CLOSE_RANGE_CLOEXEC", "5.11", nil},
	Openat2:     {"openat2, RESOLVE_IN_ROOT", "5.6", nil},
	MemfdExec:   {"memfd, executed", "3.17", nil},
	MemfdSeal:   {"memfd, sealed", "3.17", nil},
	SysResource: {"CAP_SYS_RESOURCE", "2.1.92", nil},
	Binfmt:      {"binfmt_misc", "2.1.43", nil},

	Seccomp:  {"seccomp filters", "3.5", nil},
	Landlock: {"Landlock", "5.13", nil},
}

// Name is what people call the thing that is tried.
func (id ID) Name() string { return trials[id].name }

// Since is the first kernel release that has it, or "" if it is no part of the kernel.
func (id ID) Since() string { return trials[id].since }
