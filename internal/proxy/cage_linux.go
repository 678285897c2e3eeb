package proxy

import (
	"math"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Cage shuts a proxy in one directory: Options.Files[0], which is its root directory, its working directory and, as
// descriptor FirstFile, all that it has open. It has an empty network namespace, an empty IPC namespace, and a mount
// namespace with one mount; it may make, change and remove files in the directory, not read or execute any; it can
// gain no privilege, and leaves no core. What the host refuses is left out, and Caged tells.
//
//	v5.2 open_tree, move_mount; v5.13 Landlock, of use here since 5.19 (before, it lets no file have names in two
//	directories)
type Cage struct {
	// Capabilities stay with the proxy, one bit each; those that it does not have must not be named.
	Capabilities uint64

	// FileSize is the largest size of a file in bytes.
	FileSize int64
}

// Caged is what came of a Cage.
type Caged struct {
	Network  bool // an empty network namespace
	Mounts   bool // no mount but the directory's
	Root     bool // the directory is the root directory
	Landlock bool
}

// The words that tell what came of it, from the last one down.
const (
	wordNetwork = Words - 1 - iota
	wordMounts
	wordRoot
	wordLandlock

	// LastWord is the last of the words that a Cage leaves to others.
	LastWord = wordLandlock - 1
)

// refused is what the words hold until something worked.
const refused = 1

// openMost is the proxy's limit of open files, and of descriptor numbers.
const openMost = 512

// Shut adds the operations, for the end of a prelude.
func (c *Cage) Shut(t *tape.Tape) {
	for _, w := range []int{wordNetwork, wordMounts, wordRoot, wordLandlock} {
		// Copied by a call that cannot fail: the umask is 0 from here on, which is also what it must be.
		t.Umask(refused)
		t.Umask(0).To(Word(w))
	}
	dir := tape.Int(FirstFile)
	t.Fchdir(dir)
	t.Unshare(sys.CLONE_NEWNET | sys.CLONE_NEWIPC).To(Word(wordNetwork)).Ignore()
	c.root(t)
	// The descriptor from before is of a mount that may be none of this namespace's.
	again := t.Slot("directory")
	t.Openat(tape.Cwd, ".", openFlags, 0).To(again)
	t.Dup3(again, dir, sys.O_CLOEXEC)
	t.Close(again)
	t.Prlimit64(sys.RLIMIT_CORE, 0, 0)
	t.Prlimit64(sys.RLIMIT_FSIZE, uint64(c.FileSize), uint64(c.FileSize)).Ignore()
	t.Prlimit64(sys.RLIMIT_NOFILE, openMost, openMost).Ignore()
	t.Prctl(sys.PR_SET_NO_NEW_PRIVS, tape.Int(1), tape.Int(0), tape.Int(0), tape.Int(0))
	t.Capset(c.Capabilities, c.Capabilities, 0)
	landlock(t)
}

// root makes the working directory the root directory: as the only mount, or else as it is.
func (c *Cage) root(t *tape.Tape) {
	chroot := t.Label("chroot")
	tree := t.Slot("tree")
	t.Unshare(sys.CLONE_NEWNS).Else(chroot)
	t.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "").Else(chroot)
	t.OpenTree(tape.Cwd, ".", sys.OPEN_TREE_CLONE).To(tree).Else(chroot)
	t.MoveMount(tree, tape.Cwd, ".", 0).Else(chroot)
	t.Fchdir(tree).Else(chroot)
	t.Close(tree)
	t.PivotRoot(".", ".").Else(chroot)
	t.Umount2(".", sys.MNT_DETACH).To(Word(wordMounts)).Else(chroot)
	t.Mark(chroot)
	t.Chroot(".").To(Word(wordRoot)).Ignore()
}

// What the rules govern, and what they allow below the directory: everything that unpacking takes, and nothing that
// reads a file or makes a device other than overlayfs's whiteout.
const (
	landlockFiles = sys.LANDLOCK_ACCESS_FS_REFER<<1 - 1 // all of the second version
	landlockWork  = sys.LANDLOCK_ACCESS_FS_WRITE_FILE | sys.LANDLOCK_ACCESS_FS_READ_DIR |
		sys.LANDLOCK_ACCESS_FS_REMOVE_DIR | sys.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		sys.LANDLOCK_ACCESS_FS_MAKE_CHAR | sys.LANDLOCK_ACCESS_FS_MAKE_DIR | sys.LANDLOCK_ACCESS_FS_MAKE_REG |
		sys.LANDLOCK_ACCESS_FS_MAKE_FIFO | sys.LANDLOCK_ACCESS_FS_MAKE_SYM | sys.LANDLOCK_ACCESS_FS_REFER
)

// landlock enforces the rules that this kernel knows.
func landlock(t *tape.Tape) {
	abi, err := sys.LandlockABI()
	if err != nil || abi < 2 {
		return
	}
	var files, work, network, scopes uint64 = landlockFiles, landlockWork, 0, 0
	if abi >= 3 {
		files, work = files|sys.LANDLOCK_ACCESS_FS_TRUNCATE, work|sys.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		network = sys.LANDLOCK_ACCESS_NET_BIND_TCP | sys.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		files |= sys.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		scopes = sys.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | sys.LANDLOCK_SCOPE_SIGNAL
	}
	rules, end, next := t.Slot("rules"), t.Label("end"), t.Label("next")
	t.LandlockCreateRuleset(files, network, scopes).To(rules).Else(next)
	t.LandlockAddPath(rules, work, FirstFile).Else(end)
	t.LandlockRestrictSelf(rules).To(Word(wordLandlock)).Else(end)
	t.Mark(end)
	t.Close(rules)
	t.Mark(next)
	t.CloseRange(FirstFile+1, math.MaxUint32, 0)
}

// Caged tells what came of Shut. It is for proxies that had it in their prelude.
func (p *Proxy) Caged() Caged {
	return Caged{p.Value(wordNetwork) == 0, p.Value(wordMounts) == 0, p.Value(wordRoot) == 0, p.Value(wordLandlock) == 0}
}
