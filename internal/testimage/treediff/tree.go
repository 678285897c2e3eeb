package treediff

import "time"

// Form is how a tree says that a name of a layer below is removed.
type Form int

const (
	// Merged says nothing: it is the whole of all layers.
	Merged Form = iota
	// Named is how an image says it, and what a program that knows nothing of images extracts: .wh.NAME, and
	// .wh..wh..opq in an opaque directory. OCI image-spec, layer.md.
	Named
	// Overlay is a character device 0:0, and trusted.overlay.opaque on an opaque directory.
	// Kernel: Documentation/filesystems/overlayfs.rst.
	Overlay
)

// Tree is a tree of files by their paths below its root, which is ".".
type Tree map[string]Entry

// Kind is the type of an entry.
type Kind byte

// The kinds. A whiteout is a removed name, whatever its form.
const (
	File Kind = iota
	Dir
	Symlink
	Fifo
	Socket
	CharDevice
	BlockDevice
	Whiteout
)

func (k Kind) String() string {
	return [...]string{"file", "directory", "symbolic link", "fifo", "socket", "character device", "block device", "whiteout"}[k]
}

// Entry is all that a tree says of a path.
type Entry struct {
	Kind     Kind
	Mode     uint32 // permissions, set-id and sticky bits; 0 for a symbolic link
	UID, GID uint32
	Time     time.Time         // of the last modification
	Device   uint64            // of a device node
	Target   string            // of a symbolic link
	Size     int64             // of a file
	Sum      string            // of a file's content: SHA-256
	Xattrs   map[string]string // without those of the form
	Opaque   bool              // a directory that hides what lies below
	Link     string            // the first path in order of those that are this same file; "" if there is one path only
}

// Drop removes the entries for which it is said, and returns how many they were.
func (t Tree) Drop(drop func(path string, e Entry) bool) int {
	n := 0
	for path, e := range t {
		if drop(path, e) {
			delete(t, path)
			n++
		}
	}
	return n
}
