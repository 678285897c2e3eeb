package changes

import (
	"os"

	"github.com/caisson-go/caisson/internal/sys"
)

// Opener opens trees, with whatever rights that takes.
//
// Direct does so with the rights of the program. A Proxied does so in a process that has the rights of a user
// namespace. A *Fallback is Direct where that is enough, which for most files of most containers it is, and starts a
// proxy where it is not.
type Opener interface {
	// Root takes the top directory of a tree. The file stays the caller's.
	Root(f *os.File) (Dir, error)
}

// Dir is an open directory. Errors are errnos, or those of the proxy. Names are single components.
type Dir interface {
	// Dir opens a directory in this one, never a link to one.
	Dir(name string) (Dir, error)

	// Look describes the directory itself.
	Look() (sys.Look, error)

	// Names returns up to n more names, in no order, and io.EOF when there are no more.
	Names(n int) ([]string, error)

	// Rewind has Names begin anew.
	Rewind() error

	// Looks describes names, without following them.
	Looks(names []string) []Looked

	// Links reads symbolic links.
	Links(names []string) []Link

	// Files opens regular files, and nothing else, for reading, with the attributes for which want is true.
	// An attribute set that is too large is E2BIG or ERANGE.
	Files(names []string, want func(attr string) bool) []File

	// Xattrs reads the attributes of the directory itself for which want is true.
	Xattrs(want func(attr string) bool) ([]Xattr, error)

	// Batch is how many names it is worth to ask about at once.
	Batch() int

	// Close closes it.
	Close()
}

// Looked is what Looks found out about one name.
type Looked struct {
	sys.Look
	Mapped bool // the owner is as the container has it, not as the host has it
	Err    error
}

// Link is a symbolic link's target.
type Link struct {
	Target string
	Err    error
}

// File is an open regular file. Its reader closes it.
type File struct {
	*os.File
	Xattrs []Xattr
	Err    error
}

// Xattr is one extended attribute.
type Xattr struct {
	Name   string
	Value  []byte
	Mapped bool // ids in it are as the container has them
}
