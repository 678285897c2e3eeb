package sys

// Flags of clone(2), clone3(2), unshare(2) and setns(2).
const (
	CLONE_VM          = 0x100
	CLONE_VFORK       = 0x4000
	CLONE_PARENT      = 0x8000
	CLONE_PIDFD       = 0x1000
	CLONE_NEWTIME     = 0x80
	CLONE_NEWNS       = 0x20000
	CLONE_NEWCGROUP   = 0x2000000
	CLONE_NEWUTS      = 0x4000000
	CLONE_NEWIPC      = 0x8000000
	CLONE_NEWUSER     = 0x10000000
	CLONE_NEWPID      = 0x20000000
	CLONE_NEWNET      = 0x40000000
	CLONE_INTO_CGROUP = 0x200000000

	CLONE_CLEAR_SIGHAND = 0x100000000
)

// Flags of open(2) that are the same on amd64 and arm64, and of the *at calls.
const (
	O_RDONLY   = 0x0
	O_WRONLY   = 0x1
	O_RDWR     = 0x2
	O_CREAT    = 0x40
	O_EXCL     = 0x80
	O_NOCTTY   = 0x100
	O_TRUNC    = 0x200
	O_APPEND   = 0x400
	O_NONBLOCK = 0x800
	O_CLOEXEC  = 0x80000
	O_PATH     = 0x200000

	AT_FDCWD            = -100
	AT_SYMLINK_NOFOLLOW = 0x100
	AT_REMOVEDIR        = 0x200
	AT_SYMLINK_FOLLOW   = 0x400
	AT_EMPTY_PATH       = 0x1000
	AT_RECURSIVE        = 0x8000

	RESOLVE_NO_XDEV       = 0x1
	RESOLVE_NO_MAGICLINKS = 0x2
	RESOLVE_NO_SYMLINKS   = 0x4
	RESOLVE_BENEATH       = 0x8
	RESOLVE_IN_ROOT       = 0x10
)

// Flags of mount(2), umount2(2) and the file descriptor based mount calls.
const (
	MS_RDONLY      = 0x1
	MS_NOSUID      = 0x2
	MS_NODEV       = 0x4
	MS_NOEXEC      = 0x8
	MS_REMOUNT     = 0x20
	MS_NOSYMFOLLOW = 0x100
	MS_BIND        = 0x1000
	MS_MOVE        = 0x2000
	MS_REC         = 0x4000
	MS_UNBINDABLE  = 0x20000
	MS_PRIVATE     = 0x40000
	MS_SLAVE       = 0x80000
	MS_SHARED      = 0x100000
	MS_STRICTATIME = 0x1000000

	MNT_DETACH = 0x2

	OPEN_TREE_CLONE   = 0x1
	OPEN_TREE_CLOEXEC = O_CLOEXEC

	MOVE_MOUNT_F_EMPTY_PATH = 0x4
	MOVE_MOUNT_T_SYMLINKS   = 0x10
	MOVE_MOUNT_T_EMPTY_PATH = 0x40

	FSOPEN_CLOEXEC  = 0x1
	FSMOUNT_CLOEXEC = 0x1

	FSCONFIG_SET_FLAG   = 0
	FSCONFIG_SET_STRING = 1
	FSCONFIG_SET_FD     = 5
	FSCONFIG_CMD_CREATE = 6

	MOUNT_ATTR_RDONLY      = 0x1
	MOUNT_ATTR_NOSUID      = 0x2
	MOUNT_ATTR_NODEV       = 0x4
	MOUNT_ATTR_NOEXEC      = 0x8
	MOUNT_ATTR_STRICTATIME = 0x20
	MOUNT_ATTR_IDMAP       = 0x100000
	MOUNT_ATTR_NOSYMFOLLOW = 0x200000
)

// Options of prctl(2), and its arguments.
const (
	PR_SET_PDEATHSIG       = 1
	PR_SET_DUMPABLE        = 4
	PR_SET_KEEPCAPS        = 8
	PR_SET_NAME            = 15
	PR_CAPBSET_DROP        = 24
	PR_SET_SECCOMP         = 22
	PR_SET_SECUREBITS      = 28
	PR_SET_NO_NEW_PRIVS    = 38
	PR_CAP_AMBIENT         = 47
	PR_CAP_AMBIENT_RAISE   = 2
	PR_CAP_AMBIENT_CLEAR   = 4
	LINUX_CAPABILITY_V3    = 0x20080522
	CLOSE_RANGE_CLOEXEC    = 4
	SECCOMP_MODE_FILTER    = 2
	SECBIT_NO_SETUID_FIXUP = 4
)

// Access rights and scopes of Landlock, with the version of the interface that brought them; landlock(7).
const (
	LANDLOCK_RULE_PATH_BENEATH = 1

	LANDLOCK_ACCESS_FS_EXECUTE     = 0x1
	LANDLOCK_ACCESS_FS_WRITE_FILE  = 0x2
	LANDLOCK_ACCESS_FS_READ_FILE   = 0x4
	LANDLOCK_ACCESS_FS_READ_DIR    = 0x8
	LANDLOCK_ACCESS_FS_REMOVE_DIR  = 0x10
	LANDLOCK_ACCESS_FS_REMOVE_FILE = 0x20
	LANDLOCK_ACCESS_FS_MAKE_CHAR   = 0x40
	LANDLOCK_ACCESS_FS_MAKE_DIR    = 0x80
	LANDLOCK_ACCESS_FS_MAKE_REG    = 0x100
	LANDLOCK_ACCESS_FS_MAKE_SOCK   = 0x200
	LANDLOCK_ACCESS_FS_MAKE_FIFO   = 0x400
	LANDLOCK_ACCESS_FS_MAKE_BLOCK  = 0x800
	LANDLOCK_ACCESS_FS_MAKE_SYM    = 0x1000
	LANDLOCK_ACCESS_FS_REFER       = 0x2000 // 2
	LANDLOCK_ACCESS_FS_TRUNCATE    = 0x4000 // 3
	LANDLOCK_ACCESS_FS_IOCTL_DEV   = 0x8000 // 5

	LANDLOCK_ACCESS_NET_BIND_TCP    = 0x1 // 4
	LANDLOCK_ACCESS_NET_CONNECT_TCP = 0x2

	LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 0x1 // 6
	LANDLOCK_SCOPE_SIGNAL               = 0x2
)

// Capabilities that working on other people's files takes; capabilities(7).
const (
	CAP_CHOWN           = 0
	CAP_DAC_OVERRIDE    = 1
	CAP_DAC_READ_SEARCH = 2
	CAP_FOWNER          = 3
	CAP_FSETID          = 4
	CAP_SETFCAP         = 31
)

// File types of mknod(2).
const (
	S_IFIFO = 0x1000
	S_IFCHR = 0x2000
	S_IFBLK = 0x6000
	S_IFREG = 0x8000
)

// Signals, waiting, sockets and terminals.
const (
	SIGKILL = 9
	SIGTERM = 15
	SIGCHLD = 17

	SIG_BLOCK   = 0
	SIG_UNBLOCK = 1
	SIG_SETMASK = 2

	WNOHANG = 1
	WALL    = 0x40000000

	POLLIN = 1

	AF_UNIX          = 1
	AF_INET          = 2
	AF_INET6         = 10
	SOCK_STREAM      = 1
	SOCK_DGRAM       = 2
	SOCK_NONBLOCK    = 0x800
	SOCK_CLOEXEC     = 0x80000
	SOL_SOCKET       = 1
	SCM_RIGHTS       = 1
	MSG_NOSIGNAL     = 0x4000
	MSG_CMSG_CLOEXEC = 0x40000000
	SIOCSIFFLAGS     = 0x8914
	IFF_UP           = 0x1
	IFF_RUNNING      = 0x40
	TIOCSCTTY        = 0x540e
	TIOCSWINSZ       = 0x5414
	TIOCSPTLCK       = 0x40045431
	TIOCGPTPEER      = 0x5441
	F_DUPFD          = 0
	F_SETFD          = 2
	F_SETFL          = 4
	F_SETPIPE_SZ     = 1031
	FD_CLOEXEC       = 1
	PROT_READ        = 1
	PROT_WRITE       = 2
	MAP_SHARED       = 1
	MAP_FIXED        = 0x10
	RLIMIT_FSIZE     = 1
	RLIMIT_CORE      = 4
	RLIMIT_NOFILE    = 7
	CLOCK_MONOTONIC  = 1
)

// Errnos that tapes compare against. The numbers are those of asm-generic/errno-base.h.
const (
	EPERM   = 1
	ENOENT  = 2
	EINTR   = 4
	E2BIG   = 7
	EBADF   = 9
	ENOEXEC = 8
	EAGAIN  = 11
	EACCES  = 13
	EBUSY   = 16
	EEXIST  = 17
	ENOTDIR = 20
	EINVAL  = 22
	ENOTTY  = 25
	ELOOP   = 40
	ECHILD  = 10
	ESRCH   = 3
	ENOSYS  = 38
)

// Makedev is the number of a device, as makedev(3) computes it.
func Makedev(major, minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(major&0xfff)<<8 | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}
