package layer

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// handle numbers an open directory of the unpacker's. The descriptor behind it is its hands' matter.
type handle int

// rootHandle is the layer's root, which is open always.
const rootHandle handle = 0

// handles is how many directories are open at a time, the root among them.
const handles = 64

// verb is what a step does.
type verb uint8

const (
	toOpenDir  verb = iota // open the directory name in dir as into
	toMkdir                // make the directory name in dir
	toCreate               // make the regular file name in dir, and open it
	toWrite                // write data at off to the open file
	toTruncate             // set the size of the open file to off
	toSymlink              // make name in dir a link to target
	toLink                 // make name in dir another name of target in from
	toMknod                // make the FIFO or whiteout name in dir
	toChownAt              // give name in dir to uid and gid
	toChmodAt              // give name in dir its mode
	toTimesAt              // give name in dir its time
	toOpenFile             // open the directory name in dir in the place of the open file
	toChown                // the same as the three above for the open file
	toChmod
	toTimes
	toSetxattr // set the attribute name of the open file or directory to target
	toCloseFile
	toUnlink // remove name from dir, which is no directory
)

// verbNames are for errors.
var verbNames = [...]string{
	toOpenDir: "open", toMkdir: "mkdir", toCreate: "create", toWrite: "write", toTruncate: "truncate", toSymlink: "symlink",
	toLink: "link", toMknod: "mknod", toChownAt: "chown", toChmodAt: "chmod", toTimesAt: "utimes", toOpenFile: "open",
	toChown: "chown", toChmod: "chmod", toTimes: "utimes", toSetxattr: "setxattr", toCloseFile: "close", toUnlink: "unlink",
}

// step is one system call of unpacking. Names are single components; none is ever followed if it is a link.
type step struct {
	verb       verb
	dir        handle
	into, from handle
	tries      uint8
	name       string
	target     string
	mode       uint32 // mknod: with the type
	uid, gid   uint32
	time       sys.Time
	off        int64
	data       []byte

	entry string // the entry's name as the layer has it, for errors
	path  string // of name, resolved
	guess bool   // mkdir: of a directory without an entry
}

// verdict is what to do about a step that failed.
type verdict uint8

const (
	giveUp verdict = iota
	again          // the way is clear now
	skip           // it needs no doing
)

// hands do the steps. Either at once, or some time, in order, before settle returns; then a failure is judged, and
// maybe mended, when it has happened and nothing behind it has.
type hands interface {
	// do does a step, or takes it on.
	do(s *step) error
	// settle returns when all steps are done.
	settle() error
	// chunk is memory to read the stream into. What writes are of lies in it; it is not given again before they are
	// done.
	chunk() ([]byte, error)

	// These are for when all steps are done, and for judging one that failed.

	try(s *step) syscall.Errno
	stat(dir handle, name string) (sys.Entry, error)
	readlink(dir handle, name string) (string, error)
	removeAll(dir handle, name string) error

	// exact tells that modes given at creation are what files get: the umask is 0.
	exact() bool
	confined() Confinement
	close()
}

// judge decides about a step that failed.
type judge func(s *step, errno syscall.Errno) (verdict, error)

// tries bounds how often a step is done again.
const maxTries = 4
