package tape

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
)

// flagName is one bit, or one value, of an argument.
type flagName struct {
	bit  uint64
	name string
}

var (
	openNames = []flagName{
		{sys.O_WRONLY, "O_WRONLY"}, {sys.O_RDWR, "O_RDWR"}, {sys.O_CREAT, "O_CREAT"}, {sys.O_EXCL, "O_EXCL"},
		{sys.O_NOCTTY, "O_NOCTTY"}, {sys.O_TRUNC, "O_TRUNC"}, {sys.O_APPEND, "O_APPEND"},
		{sys.O_NONBLOCK, "O_NONBLOCK"}, {sys.O_CLOEXEC, "O_CLOEXEC"}, {sys.O_PATH, "O_PATH"},
		{sys.O_DIRECTORY, "O_DIRECTORY"}, {sys.O_NOFOLLOW, "O_NOFOLLOW"},
	}
	cloneNames = []flagName{
		{sys.CLONE_VM, "CLONE_VM"}, {sys.CLONE_VFORK, "CLONE_VFORK"}, {sys.CLONE_PARENT, "CLONE_PARENT"},
		{sys.CLONE_PIDFD, "CLONE_PIDFD"}, {sys.CLONE_NEWUSER, "CLONE_NEWUSER"}, {sys.CLONE_NEWNS, "CLONE_NEWNS"},
		{sys.CLONE_NEWPID, "CLONE_NEWPID"}, {sys.CLONE_NEWNET, "CLONE_NEWNET"}, {sys.CLONE_NEWIPC, "CLONE_NEWIPC"},
		{sys.CLONE_NEWUTS, "CLONE_NEWUTS"}, {sys.CLONE_NEWCGROUP, "CLONE_NEWCGROUP"}, {sys.CLONE_NEWTIME, "CLONE_NEWTIME"},
		{sys.CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"}, {sys.SIGCHLD, "SIGCHLD"}, // the lowest byte of clone(2)'s is a signal
	}
	mountNames = []flagName{
		{sys.MS_RDONLY, "MS_RDONLY"}, {sys.MS_NOSUID, "MS_NOSUID"}, {sys.MS_NODEV, "MS_NODEV"},
		{sys.MS_NOEXEC, "MS_NOEXEC"}, {sys.MS_REMOUNT, "MS_REMOUNT"}, {sys.MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"},
		{sys.MS_BIND, "MS_BIND"}, {sys.MS_MOVE, "MS_MOVE"}, {sys.MS_REC, "MS_REC"}, {sys.MS_UNBINDABLE, "MS_UNBINDABLE"},
		{sys.MS_PRIVATE, "MS_PRIVATE"}, {sys.MS_SLAVE, "MS_SLAVE"}, {sys.MS_SHARED, "MS_SHARED"},
		{sys.MS_STRICTATIME, "MS_STRICTATIME"},
	}
	mountAttrNames = []flagName{
		{sys.MOUNT_ATTR_RDONLY, "MOUNT_ATTR_RDONLY"}, {sys.MOUNT_ATTR_NOSUID, "MOUNT_ATTR_NOSUID"},
		{sys.MOUNT_ATTR_NODEV, "MOUNT_ATTR_NODEV"}, {sys.MOUNT_ATTR_NOEXEC, "MOUNT_ATTR_NOEXEC"},
		{sys.MOUNT_ATTR_STRICTATIME, "MOUNT_ATTR_STRICTATIME"}, {sys.MOUNT_ATTR_IDMAP, "MOUNT_ATTR_IDMAP"},
		{sys.MOUNT_ATTR_NOSYMFOLLOW, "MOUNT_ATTR_NOSYMFOLLOW"},
	}
	resolveNames = []flagName{
		{sys.RESOLVE_NO_XDEV, "RESOLVE_NO_XDEV"}, {sys.RESOLVE_NO_MAGICLINKS, "RESOLVE_NO_MAGICLINKS"},
		{sys.RESOLVE_NO_SYMLINKS, "RESOLVE_NO_SYMLINKS"}, {sys.RESOLVE_BENEATH, "RESOLVE_BENEATH"},
		{sys.RESOLVE_IN_ROOT, "RESOLVE_IN_ROOT"},
	}
	treeNames = []flagName{
		{sys.OPEN_TREE_CLONE, "OPEN_TREE_CLONE"}, {sys.OPEN_TREE_CLOEXEC, "OPEN_TREE_CLOEXEC"},
		{sys.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"}, {sys.AT_EMPTY_PATH, "AT_EMPTY_PATH"},
		{sys.AT_RECURSIVE, "AT_RECURSIVE"},
	}
	moveNames = []flagName{
		{sys.MOVE_MOUNT_F_EMPTY_PATH, "MOVE_MOUNT_F_EMPTY_PATH"}, {sys.MOVE_MOUNT_T_SYMLINKS, "MOVE_MOUNT_T_SYMLINKS"},
		{sys.MOVE_MOUNT_T_EMPTY_PATH, "MOVE_MOUNT_T_EMPTY_PATH"},
	}
	atNames = []flagName{
		{sys.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"}, {sys.AT_REMOVEDIR, "AT_REMOVEDIR"},
		{sys.AT_SYMLINK_FOLLOW, "AT_SYMLINK_FOLLOW"}, {sys.AT_EMPTY_PATH, "AT_EMPTY_PATH"},
	}
	umountNames = []flagName{{sys.MNT_DETACH, "MNT_DETACH"}}
	rangeNames  = []flagName{{sys.CLOSE_RANGE_CLOEXEC, "CLOSE_RANGE_CLOEXEC"}}

	fsconfigNames = []flagName{
		{sys.FSCONFIG_SET_FLAG, "FSCONFIG_SET_FLAG"}, {sys.FSCONFIG_SET_STRING, "FSCONFIG_SET_STRING"},
		{sys.FSCONFIG_SET_FD, "FSCONFIG_SET_FD"}, {sys.FSCONFIG_CMD_CREATE, "FSCONFIG_CMD_CREATE"},
	}
	prctlNames = []flagName{
		{sys.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG"}, {sys.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
		{sys.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"}, {sys.PR_SET_NAME, "PR_SET_NAME"},
		{sys.PR_CAPBSET_DROP, "PR_CAPBSET_DROP"}, {sys.PR_SET_SECUREBITS, "PR_SET_SECUREBITS"}, {sys.PR_SET_SECCOMP, "PR_SET_SECCOMP"},
		{sys.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS"}, {sys.PR_CAP_AMBIENT, "PR_CAP_AMBIENT"},
	}
	ioctlNames = []flagName{
		{sys.SIOCSIFFLAGS, "SIOCSIFFLAGS"}, {sys.TIOCSCTTY, "TIOCSCTTY"}, {sys.TIOCSWINSZ, "TIOCSWINSZ"},
		{sys.TIOCSPTLCK, "TIOCSPTLCK"}, {sys.TIOCGPTPEER, "TIOCGPTPEER"},
	}
	signalNames = []flagName{{sys.SIGKILL, "SIGKILL"}, {sys.SIGTERM, "SIGTERM"}, {sys.SIGCHLD, "SIGCHLD"}}

	errnoNames = map[int]string{
		sys.EPERM: "EPERM", sys.ENOENT: "ENOENT", sys.EINTR: "EINTR", sys.EAGAIN: "EAGAIN", sys.EACCES: "EACCES",
		sys.EBUSY: "EBUSY", sys.EEXIST: "EEXIST", sys.ENOTDIR: "ENOTDIR", sys.EINVAL: "EINVAL", sys.ENOTTY: "ENOTTY",
		sys.ELOOP: "ELOOP", sys.ECHILD: "ECHILD", sys.ESRCH: "ESRCH", sys.ENOSYS: "ENOSYS", sys.ENOEXEC: "ENOEXEC",
	}
)

// formatConst prints a constant according to its letter:
// f descriptor, i decimal, m mode, s string, w word, and the sets of flags and values above.
func formatConst(n uint64, kind byte) string {
	switch kind {
	case 'f':
		if int64(n) == sys.AT_FDCWD {
			return "AT_FDCWD"
		}
		return strconv.FormatInt(int64(n), 10)
	case 'i', 'w':
		return strconv.FormatInt(int64(n), 10)
	case 'm':
		return fmt.Sprintf("%#o", n)
	case 'D':
		return fmt.Sprintf("makedev(%d, %d)", n>>8&0xfff, n&0xff|n>>12&^0xff)
	case 's', 'p', 'a', 'g', 'o':
		if n == 0 {
			return "NULL"
		}
	case 'O':
		s := flags(n, openNames)
		if n&3 == 0 {
			s = strings.TrimSuffix("O_RDONLY|"+s, "|0")
		}
		return s
	}
	if set, ok := flagSets[kind]; ok {
		return flags(n, set)
	}
	if set, ok := valueSets[kind]; ok {
		return value(n, set)
	}
	return fmt.Sprintf("%#x", n)
}

var flagSets = map[byte][]flagName{
	'N': cloneNames, 'M': mountNames, 'E': mountAttrNames, 'T': treeNames, 'V': moveNames,
	'A': atNames, 'U': umountNames, 'R': rangeNames,
}

var valueSets = map[byte][]flagName{'C': fsconfigNames, 'P': prctlNames, 'I': ioctlNames, 'S': signalNames}

// flags joins the names of the bits of n; bits without a name are left as a number.
func flags(n uint64, set []flagName) string {
	var parts []string
	for _, f := range set {
		if f.bit != 0 && n&f.bit == f.bit {
			parts = append(parts, f.name)
			n &^= f.bit
		}
	}
	switch {
	case n != 0:
		parts = append(parts, fmt.Sprintf("%#x", n))
	case len(parts) == 0:
		return "0"
	}
	return strings.Join(parts, "|")
}

func value(n uint64, set []flagName) string {
	for _, f := range set {
		if f.bit == n {
			return f.name
		}
	}
	return strconv.FormatInt(int64(n), 10)
}
