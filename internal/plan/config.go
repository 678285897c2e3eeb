package plan

// Config describes a container completely: every default is filled in and every name resolved.
type Config struct {
	Args       []string
	Paths      []string // where Args[0] may lie, tried in this order
	Env        []string
	Cwd        string // made if it is missing
	Identity   Identity
	Hostname   string // "" leaves the name of the UTS namespace alone
	Namespaces Namespaces
	Root       Root
	Mounts     []Mount
	Etc        []File // generated files, under /etc
	ReadOnly   bool   // no writing to the root filesystem
	TTY        *Winsize
	Init       bool
	Detach     bool   // a supervisor waits for the program, instead of the host program
	Caps       uint64 // capabilities kept, bit n for capability n
	NewPrivs   bool   // allow setuid programs to gain privileges
	Tasks      []string
	Files      Rlimit
	ExtraFiles int     // descriptors 3 and up that the program receives
	Null       [3]bool // standard files that shall be the container's own /dev/null
	Trace      bool
	Empty      bool // an empty mount namespace can be passed open
	Features   Features
}

// Features are the optional abilities of a kernel that change a plan.
type Features struct {
	OverlayFsconfig bool // overlay by fsopen(2), since 6.5; else by mount(2)
	OverlayLowerAdd bool // parameter lowerdir+, since 6.7; else one lowerdir list
	PivotRoot       bool // false on an initramfs: the root is moved and chrooted to
	Cgroup2         bool // /sys/fs/cgroup is the unified hierarchy
	Mqueue          bool // POSIX message queues are compiled in
	ProcMount       bool // a proc filesystem can be mounted; false below masked ones
}

// Rlimit is a resource limit of the program; the zero value leaves it alone. See getrlimit(2).
type Rlimit struct{ Soft, Hard uint64 }

// Identity is who the program runs as.
type Identity struct {
	UID, GID  uint32
	Groups    []uint32
	SetGroups bool   // false where a user namespace forbids setgroups(2)
	Note      string // what the ids stand for, in a plan that is only to be read: who it takes an image to know
}

// Mode says where a namespace comes from.
type Mode uint8

// The sources of a namespace.
const (
	New  Mode = iota // made for the container
	Host             // the host program's
	Join             // one that exists, by an open descriptor
)

// Namespace is the choice for one kind of namespace.
type Namespace struct {
	Mode   Mode
	Object string // what is joined, for people
}

// Namespaces are the choices for all kinds. The zero value makes every kind but that it also makes a
// time and a user namespace, which callers must want.
type Namespaces struct {
	Mount, PID, Net, IPC, UTS, Cgroup, Time Namespace
	User                                    UserNamespace
}

// UserMode says how the user namespace gets its id maps.
type UserMode uint8

// The ways to a user namespace.
const (
	UserHost   UserMode = iota // none: the host program's own, which must be privileged
	UserOneID                  // new; the tape maps one id, its own, itself
	UserRanges                 // new; the host program writes the maps, itself or by newuidmap
	UserJoin                   // one that exists, by an open descriptor
)

// UserNamespace is the choice for the user namespace.
type UserNamespace struct {
	Mode     UserMode
	UID, GID uint32 // UserOneID: the host's ids that become 0
	HasGID5  bool   // the group tty (5) is mapped
	Object   string // UserJoin: what is joined
	Lenient  bool   // UserJoin: stay who one is there, root or not
}

// RootKind says what the root filesystem is made of.
type RootKind uint8

// The kinds of root filesystem.
const (
	Layers    RootKind = iota // an overlay of directories
	Composite                 // a tmpfs with an overlay for each directory of the host's root
)

// Root describes the root filesystem.
type Root struct {
	Kind RootKind
	// Layers, bottom to top, below a writable directory and its work directory.
	Lower       []string
	Upper, Work string
	// A directory below them with empty files for generated ones to be mounted on, or "".
	MountPoints string
	// Memory puts the writable layer into a tmpfs, which ends with the container.
	Memory bool
	// Composite: the entries of the root directory, and paths to hide below them.
	Entries []Entry
	Hidden  []string
	Attrs   map[string]Attr // of directories that are made anew above the host's, by absolute path
	Dirs    []Entry         // directories to make in the finished root: empty ones in place of hidden ones
}

// Attr is who may do what in a directory of the host.
type Attr struct{ Mode, UID, GID uint32 }

// EntryKind says how a name of the host appears in the container.
type EntryKind uint8

// The kinds of entry.
const (
	EntryOverlay EntryKind = iota // the host's directory, with a writable layer above
	EntryMount                    // the same, left out if overlay does not take its filesystem
	EntryBind                     // the host's directory, read-only
	EntryFile                     // the host's file, read-only
	EntryLink                     // a symbolic link
	EntryEmpty                    // an empty directory
)

// Entry is one name in a Composite root.
type Entry struct {
	Name   string // in its directory; of those in Below the path from the entry on
	Kind   EntryKind
	Target string  // of EntryLink
	Mode   uint32  // of EntryEmpty
	Below  []Entry // EntryOverlay: what is mounted below it and shown too
	Locked bool    // EntryOverlay, EntryMount: in a user namespace it is a directory of Parts instead
	Parts  []Entry
}

// Mount is a mount that the caller asked for.
type Mount struct {
	Kind        MountKind
	Source      string // Bind: a path of the host
	Target      string // absolute, in the container
	File        bool   // Bind: the source is not a directory
	ReadOnly    bool
	Flat        bool // Bind: without the mounts below the source
	Suid, Dev   bool // allow setuid programs, device files
	NoExec      bool
	Propagation int    // MS_PRIVATE, MS_SLAVE, MS_SHARED
	Options     string // Tmpfs: size=..., mode=...
	IDMap       []IDMapping
}

// IDMapping shows the owners from Source on as those from Target on; mount_setattr(2), MOUNT_ATTR_IDMAP.
type IDMapping struct{ Source, Target, Count uint32 }

// MountKind is the type of a Mount.
type MountKind uint8

// The kinds of mount.
const (
	Bind MountKind = iota
	Tmpfs
)

// File is a generated file.
type File struct {
	Name    string // below /etc
	Content string
}

// Winsize is the size of a terminal in characters.
type Winsize struct{ Rows, Cols uint16 }
