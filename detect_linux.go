package caisson

import (
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
	sup := &Support{UID: os.Geteuid(), GID: os.Getegid(), Kernel: newestKernel}
	sup.Privileged = sup.UID == 0 && sys.HasCapability(sys.CAP_SYS_ADMIN)
	sup.Kernel.Cgroup2 = sys.IsFilesystem("/sys/fs/cgroup", sys.CGROUP2_SUPER_MAGIC)
	_, err := os.Stat("/proc/sys/fs/mqueue")
	sup.Kernel.Mqueue = err == nil
	if !sup.Privileged {
		sup.SubUIDs, sup.SubGIDs = subordinate(sup.UID)
	}
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	mounts, err := readMounts()
	if err != nil {
		return nil, &Error{"open", "/proc/self/mountinfo", err, "is /proc mounted?"}
	}
	sup.Kernel.PivotRoot = !mounts.rootIsInitramfs()
	sup.HostRoot, err = hostEntries(mounts, sup.Privileged)
	if err != nil {
		return nil, &Error{"open", "/", err, ""}
	}
	sup.HostHidden = hostHidden(dir)
	return sup, nil
}

// subordinate are the ids that a user may map beside its own, if the programs that map them are there.
func subordinate(uid int) (uids, gids []IDRange) {
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, nil
		}
	}
	u, err := os.Open("/etc/subuid")
	if err != nil {
		return nil, nil
	}
	defer func() { _ = u.Close() }()
	g, err := os.Open("/etc/subgid")
	if err != nil {
		return nil, nil
	}
	defer func() { _ = g.Close() }()
	us, gs, err := subid.For(uid, userName(uid), u, g)
	if err != nil {
		return nil, nil
	}
	for _, r := range us {
		uids = append(uids, IDRange(r))
	}
	for _, r := range gs {
		gids = append(gids, IDRange(r))
	}
	return uids, gids
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
