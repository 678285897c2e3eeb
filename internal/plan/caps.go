package plan

import (
	"fmt"
	"strings"
)

// maxCap is CAP_CHECKPOINT_RESTORE, since 5.9 the last capability.
const maxCap = 40

// CapNames are the capabilities by number; capabilities(7), without the CAP_ before each.
var CapNames = [maxCap + 1]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// AllCaps has the bit of every capability.
const AllCaps = 1<<(maxCap+1) - 1

func capNames(set uint64) string {
	var names []string
	for i, n := range CapNames {
		if set&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	switch {
	case len(names) == 0:
		return "none"
	case set == AllCaps:
		return "all"
	}
	return strings.Join(names, " ")
}

func describeIdentity(id *Identity) string {
	if id.Note != "" {
		return id.Note
	}
	s := fmt.Sprintf("uid %d, gid %d", id.UID, id.GID)
	if id.SetGroups {
		s += fmt.Sprintf(", groups %v", id.Groups)
	}
	return s
}
