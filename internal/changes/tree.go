package changes

import "os"

// Tree is a container's root filesystem as directories of the host. The files stay the caller's.
type Tree struct {
	// Upper is the upper directory of the overlay, open for reading. Nil for a tree without one.
	Upper *os.File

	// Lower are the layers below it, bottom to top, open for reading, as plan.Overlay has them. WriteLayer does
	// not use them.
	Lower []*os.File

	// UserXattr says that the overlay was mounted with userxattr, so that its marks are user.overlay.* and not
	// trusted.overlay.*, which only root can read.
	UserXattr bool

	// Made are the absolute paths, inside the container, of what was made in the upper directory for mounts to
	// stand on. While they are empty files, or directories with nothing else in them, they are no changes.
	Made []string

	// Owner maps the owner of a file on the host to the owner in the container. Nil keeps it. What an Opener has
	// mapped already is not mapped again. An error fails what is being written.
	Owner func(uid, gid int) (int, int, error)

	// Opener opens directories and files. Nil: Direct.
	Opener Opener

	// Limits bounds the work; zero fields have defaults.
	Limits Limits
}

// Limits bounds what reading one tree may cost. Reaching one is a *LimitError.
type Limits struct {
	// Path is the length in bytes of a path inside the container. Zero: 4080 for WriteLayer, because no
	// name of more than 4095 bytes can be unpacked, that of a whiteout among them; otherwise 65536.
	Path int
	// Depth is the number of components of a path. Zero: 256 for WriteLayer, as package layer has it, otherwise
	// no limit of its own.
	Depth int
	// Bytes is the size of all files together, holes included, which an archive has as zeros. Zero: 64 GiB, as
	// package layer has it.
	Bytes int64
	// Names is the memory in bytes for the names of directories being read; a directory with more is read several
	// times. Zero: 8 MiB. It is no limit that can be reached.
	Names int
	// Links is the memory in bytes for the names of files that have several names. Zero: 64 MiB.
	Links int64
}

func (l Limits) withDefaults() Limits {
	if l.Path <= 0 {
		l.Path = 64 << 10
	}
	if l.Depth <= 0 {
		l.Depth = l.Path
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 30
	}
	if l.Names <= 0 {
		l.Names = 8 << 20
	}
	if l.Links <= 0 {
		l.Links = 64 << 20
	}
	return l
}

// forLayer are the defaults of what must be unpacked again.
func (l Limits) forLayer() Limits {
	if l.Path <= 0 {
		l.Path = 4080
	}
	if l.Depth <= 0 {
		l.Depth = 256
	}
	return l.withDefaults()
}

// Kind says how a path has changed. The numbers are those of the Docker Engine API, "ContainerChanges".
type Kind uint8

// The kinds of changes.
const (
	Modified Kind = 0
	Added    Kind = 1
	Deleted  Kind = 2
)

// String is the letter that docker diff prints.
func (k Kind) String() string {
	switch k {
	case Modified:
		return "C"
	case Added:
		return "A"
	case Deleted:
		return "D"
	}
	return "?"
}

// Change is one path that is different from what the layers below have.
type Change struct {
	Path string // absolute, inside the container
	Kind Kind
}

func (t *Tree) opener() Opener {
	if t.Opener == nil {
		return Direct{}
	}
	return t.Opener
}

// made is the set of Tree.Made.
func (t *Tree) made() map[string]bool {
	set := map[string]bool{}
	for _, p := range t.Made {
		set[p] = true
	}
	return set
}
