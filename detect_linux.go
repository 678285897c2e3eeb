package caisson

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strings"

	"github.com/caisson-go/caisson/internal/subid"
	"github.com/caisson-go/caisson/internal/sys"
)

// detect finds out what a start must know about the host. It looks only at what is cheap and certain;
// the rest is learnt by trying. Probe tries everything.
func (e *Engine) detect() (*Support, error) {
	sup := &Support{UID: os.Geteuid(), GID: os.Getegid(), Privileged: privileged(), Kernel: newestKernel}
	sup.Kernel.Cgroup2 = sys.IsFilesystem("/sys/fs/cgroup", sys.CGROUP2_SUPER_MAGIC)
	_, err := os.Stat("/proc/sys/fs/mqueue")
	sup.Kernel.Mqueue = err == nil
	if !sup.Privileged {
		sup.SubUIDs, sup.SubGIDs = subordinate(sup.UID, sup.GID)
	}
	mounts, err := readMounts()
	if err != nil {
		return nil, &Error{"open", "/proc/self/mountinfo", err, "is /proc mounted?"}
	}
	sup.Kernel.PivotRoot = !mounts.rootIsInitramfs()
	return sup, nil
}

// privileged tells whether the host program is root with CAP_SYS_ADMIN on the machine itself. Root of a
// user namespace is not: it may not make device files, and its containers live in a namespace further in.
func privileged() bool {
	if os.Geteuid() != 0 || !sys.HasCapability(sys.CAP_SYS_ADMIN) {
		return false
	}
	// The number of the initial user namespace is fixed: PROC_USER_INIT_INO in the kernel's proc_ns.h.
	ns, err := os.Readlink("/proc/self/ns/user")
	return err != nil || ns == "user:[4026531837]"
}

// subordinate are the ids that a user may map beside its own, if the programs that map them are there.
func subordinate(uid, gid int) (uids, gids []IDRange) {
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, nil
		}
	}
	uids, gids, err := subordinateRanges(uid, gid)
	if err != nil {
		return nil, nil
	}
	return uids, gids
}

// subordinateRanges are the ids that /etc/subuid and /etc/subgid give a user beside its own. A file that is
// not there gives none.
func subordinateRanges(uid, gid int) (uids, gids []IDRange, err error) {
	var files [2]io.Reader
	for i, name := range []string{"/etc/subuid", "/etc/subgid"} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		defer func() { _ = f.Close() }()
		files[i] = f
	}
	us, gs, err := subid.For(uid, gid, userName(uid), files[0], files[1])
	if err != nil {
		return nil, nil, err
	}
	for _, r := range us {
		uids = append(uids, IDRange(r))
	}
	for _, r := range gs {
		gids = append(gids, IDRange(r))
	}
	return uids, gids, nil
}

// userName is the name of a user id by /etc/passwd, or "". The pure Go look-up is meant: nothing is
// loaded into the host program for it.
func userName(uid int) string {
	u, err := user.LookupId(itoa(uid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(u.Username)
}
