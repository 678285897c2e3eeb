package layer

import "github.com/caisson-go/caisson/internal/tape"

// Options says how a layer is written. The zero value is for the real root: owners as the layer has them and
// attributes in the trusted namespace.
type Options struct {
	// UserXattr marks opaque directories with user.overlay.opaque, for overlays mounted with the userxattr option
	// (since Linux 5.11), instead of trusted.overlay.opaque, which only the real root can set and see.
	UserXattr bool

	// IgnoreOwners leaves every file with the caller, for the rootless case with one id: in the container that id
	// is root. Stats.Squashed counts the files that asked for another owner.
	IgnoreOwners bool

	// Owner maps the owner that the layer names to the owner on the host. Nil keeps them as they are. An error
	// fails the layer: an id without a place on the host must not become nobody's. Not asked if IgnoreOwners.
	Owner func(uid, gid int) (int, int, error)

	// User is the user namespace whose ids the owners are: the layer's user 0 becomes whom 0 is there, and so on. An
	// owner that is nobody there is an error. Nil: for root the namespace of this program, for anybody else one with
	// the caller in it as 0.
	User *UserNamespace

	// Devices makes the device nodes of the layer, which needs CAP_MKNOD. Without it they are left out and
	// recorded in Stats.Skipped: a container gets its /dev from the host.
	Devices bool

	// Limits bounds the work; zero fields have defaults.
	Limits Limits
}

// UserNamespace is how the process that unpacks comes to live in a user namespace, as its user and group 0.
type UserNamespace struct {
	// Enter adds the operations, unshare(2) or setns(2).
	Enter func(*tape.Tape)

	// Map, if not nil, is called when they are done, to write the id maps of the process; newuidmap(1).
	Map func(pid int) error
}

// Confinement is what kept an unpacker in the directory, beside its own care.
type Confinement struct {
	Process  bool `json:"process,omitempty"`  // a process that has nothing else to do, and no program to run
	User     bool `json:"user,omitempty"`     // in a user namespace of its own: privileged over files only
	Network  bool `json:"network,omitempty"`  // in an empty network namespace
	Mounts   bool `json:"mounts,omitempty"`   // in a mount namespace with the directory in it and nothing else
	Root     bool `json:"root,omitempty"`     // with the directory as its root directory
	Landlock bool `json:"landlock,omitempty"` // under rules that let it write in the directory, and nothing else
}

// Limits bounds what one layer may cost. Reaching one is a *LimitError.
type Limits struct {
	// Entries counts tar entries and the parent directories that they imply. Zero: 2,000,000.
	Entries int64
	// Bytes bounds the tar stream, and apart from it the logical size of its files. Zero: 64 GiB.
	Bytes int64
	// Path is the length of a name or link target. Zero: 4095, the kernel's PATH_MAX less its NUL.
	Path int
	// Depth is the number of components of a name. Zero: 256.
	Depth int
	// Record is the length of one PAX record, such as an extended attribute. Zero: 65536, XATTR_SIZE_MAX.
	Record int
}

const (
	maxName = 255 // NAME_MAX of every Linux file system

	// maxRestricted bounds the memory for the names of directories whose final mode keeps their owner out.
	maxRestricted = 8 << 20

	// maxKnown bounds the memory for directories that may still be written to, in bytes.
	maxKnown = 16 << 20

	// maxImplied bounds the memory for the names of directories without an entry, in bytes, of which impliedCost are for
	// each name beside its own.
	maxImplied  = 16 << 20
	impliedCost = 64

	// maxResolved is the length in bytes of the path of a directory when links are resolved.
	maxResolved = 8192

	// maxSkips bounds the memory for Stats.Skipped.
	maxSkips = 256
)

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 2_000_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 30
	}
	l.Bytes = min(l.Bytes, 1<<62) // sums stay below the largest int64
	if l.Path <= 0 || l.Path > 4095 {
		l.Path = 4095
	}
	if l.Depth <= 0 {
		l.Depth = 256
	}
	if l.Record <= 0 {
		l.Record = 65536
	}
	return l
}

// Stats is what came of a layer.
type Stats struct {
	Entries  int64  `json:"entries"`            // tar entries, and directories made for lack of one
	Bytes    int64  `json:"bytes"`              // logical size of the regular files
	Squashed int64  `json:"squashed,omitempty"` // files whose owner was ignored
	Skips    int64  `json:"skips,omitempty"`    // things left out
	Skipped  []Skip `json:"skipped,omitempty"`  // the first 256 of them

	// RootOpaque says that the layer hides every layer below it. Overlayfs merges the roots of all its layers
	// whatever they are marked with, so the caller leaves the hidden layers out.
	RootOpaque bool `json:"rootOpaque,omitempty"`

	// Confined is what kept the unpacker in the directory.
	Confined Confinement `json:"confined,omitzero"`

	// Implied counts the parent directories that had no entry of their own when they were needed. They are 0755 and
	// root's here, and hide the mode and owner that a lower layer gives to the same directory.
	Implied int64 `json:"implied,omitempty"`

	// RootImplied says that the root directory has no entry either, which is not counted.
	RootImplied bool `json:"rootImplied,omitempty"`

	// ImpliedPaths are the resolved paths of those that have got none since, without a slash in front, sorted. What the
	// layer has removed or replaced again may be among them.
	ImpliedPaths []string `json:"-"`
}

// Skip names one thing of a layer that was left out.
type Skip struct {
	Path   string `json:"path"`   // the entry's name
	What   string `json:"what"`   // "device 1:3", or the name of an extended attribute
	Reason string `json:"reason"` // why, in words
}

func (s *Stats) skip(path, what, reason string) {
	s.Skips++
	if len(s.Skipped) < maxSkips {
		s.Skipped = append(s.Skipped, Skip{path, what, reason})
	}
}
