package tape

import (
	"testing"

	"golang.org/x/sys/unix"
)

// numbers are those of the architecture that the test is built for: it runs on both.
var numbers = map[string]int32{
	"accept4":           unix.SYS_ACCEPT4,
	"bind":              unix.SYS_BIND,
	"capset":            unix.SYS_CAPSET,
	"chdir":             unix.SYS_CHDIR,
	"chroot":            unix.SYS_CHROOT,
	"clock_gettime":     unix.SYS_CLOCK_GETTIME,
	"clone":             unix.SYS_CLONE,
	"clone3":            unix.SYS_CLONE3,
	"close":             unix.SYS_CLOSE,
	"close_range":       unix.SYS_CLOSE_RANGE,
	"connect":           unix.SYS_CONNECT,
	"dup3":              unix.SYS_DUP3,
	"execve":            unix.SYS_EXECVE,
	"execveat":          unix.SYS_EXECVEAT,
	"exit_group":        unix.SYS_EXIT_GROUP,
	"fchdir":            unix.SYS_FCHDIR,
	"fchmod":            unix.SYS_FCHMOD,
	"fchmodat":          unix.SYS_FCHMODAT,
	"fchmodat2":         unix.SYS_FCHMODAT2,
	"fchown":            unix.SYS_FCHOWN,
	"fchownat":          unix.SYS_FCHOWNAT,
	"fcntl":             unix.SYS_FCNTL,
	"fgetxattr":         unix.SYS_FGETXATTR,
	"flistxattr":        unix.SYS_FLISTXATTR,
	"fsconfig":          unix.SYS_FSCONFIG,
	"fsetxattr":         unix.SYS_FSETXATTR,
	"fsmount":           unix.SYS_FSMOUNT,
	"fsopen":            unix.SYS_FSOPEN,
	"fstatfs":           unix.SYS_FSTATFS,
	"ftruncate":         unix.SYS_FTRUNCATE,
	"getdents64":        unix.SYS_GETDENTS64,
	"getpid":            unix.SYS_GETPID,
	"ioctl":             unix.SYS_IOCTL,
	"kill":              unix.SYS_KILL,
	"linkat":            unix.SYS_LINKAT,
	"listen":            unix.SYS_LISTEN,
	"mkdirat":           unix.SYS_MKDIRAT,
	"mknodat":           unix.SYS_MKNODAT,
	"mmap":              unix.SYS_MMAP,
	"mount":             unix.SYS_MOUNT,
	"mount_setattr":     unix.SYS_MOUNT_SETATTR,
	"move_mount":        unix.SYS_MOVE_MOUNT,
	"open_tree":         unix.SYS_OPEN_TREE,
	"openat":            unix.SYS_OPENAT,
	"openat2":           unix.SYS_OPENAT2,
	"pidfd_open":        unix.SYS_PIDFD_OPEN,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"pivot_root":        unix.SYS_PIVOT_ROOT,
	"ppoll":             unix.SYS_PPOLL,
	"prctl":             unix.SYS_PRCTL,
	"prlimit64":         unix.SYS_PRLIMIT64,
	"read":              unix.SYS_READ,
	"readlinkat":        unix.SYS_READLINKAT,
	"recvmsg":           unix.SYS_RECVMSG,
	"renameat2":         unix.SYS_RENAMEAT2,
	"rt_sigaction":      unix.SYS_RT_SIGACTION,
	"rt_sigprocmask":    unix.SYS_RT_SIGPROCMASK,
	"rt_sigtimedwait":   unix.SYS_RT_SIGTIMEDWAIT,
	"sendmsg":           unix.SYS_SENDMSG,
	"setdomainname":     unix.SYS_SETDOMAINNAME,
	"setgroups":         unix.SYS_SETGROUPS,
	"sethostname":       unix.SYS_SETHOSTNAME,
	"setns":             unix.SYS_SETNS,
	"setresgid":         unix.SYS_SETRESGID,
	"setresuid":         unix.SYS_SETRESUID,
	"setsid":            unix.SYS_SETSID,
	"socket":            unix.SYS_SOCKET,
	"statx":             unix.SYS_STATX,
	"symlinkat":         unix.SYS_SYMLINKAT,
	"umask":             unix.SYS_UMASK,
	"umount2":           unix.SYS_UMOUNT2,
	"unlinkat":          unix.SYS_UNLINKAT,
	"unshare":           unix.SYS_UNSHARE,
	"utimensat":         unix.SYS_UTIMENSAT,
	"wait4":             unix.SYS_WAIT4,
	"write":             unix.SYS_WRITE,
	"pwrite64":          unix.SYS_PWRITE64,

	"landlock_add_rule":       unix.SYS_LANDLOCK_ADD_RULE,
	"landlock_create_ruleset": unix.SYS_LANDLOCK_CREATE_RULESET,
	"landlock_restrict_self":  unix.SYS_LANDLOCK_RESTRICT_SELF,
}

func TestCallNumbers(t *testing.T) {
	for c := compare + 1; c < numCalls; c++ {
		want, ok := numbers[c.String()]
		if !ok {
			t.Errorf("%s is not in the table of this test", c)
			continue
		}
		if got := c.number(Native); got != want {
			t.Errorf("%s is %d on %s, want %d", c, got, Native, want)
		}
	}
	if len(numbers) != int(numCalls)-1 {
		t.Errorf("%d numbers for %d calls", len(numbers), int(numCalls)-1)
	}
}
