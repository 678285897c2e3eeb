package caisson

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// openNamespaces opens the files of the namespaces to join, given as "kind path".
func openNamespaces(joins []string) ([]*os.File, error) {
	var files []*os.File
	for _, j := range joins {
		_, path, _ := strings.Cut(j, " ")
		f, err := os.Open(path)
		if err != nil {
			closeAll(files)
			return nil, &Error{"setns", j, err, "does the process still live, and may you look at it?"}
		}
		files = append(files, f)
	}
	return files, nil
}

// writeMaps maps the ids of a new user namespace: 0 to the user's own, and from 1 on the subordinate
// ones. Only newuidmap(1) and newgidmap(1), which are setuid root, may map more than one id for a user.
func (s *startup) writeMaps(pid int) error {
	for _, m := range []struct {
		program string
		own     int
		ranges  []IDRange
	}{{"newuidmap", s.support.UID, s.support.SubUIDs}, {"newgidmap", s.support.GID, s.support.SubGIDs}} {
		args := []string{itoa(pid), "0", itoa(m.own), "1"}
		next := 1
		for _, r := range m.ranges {
			args = append(args, itoa(next), itoa(int(r.Start)), itoa(int(r.Count)))
			next += int(r.Count)
		}
		if out, err := exec.Command(m.program, args...).CombinedOutput(); err != nil {
			return &Error{"map", m.program + " " + strings.Join(args, " "), err, strings.TrimSpace(string(out))}
		}
	}
	return nil
}

// cloneHint is a remedy for a first process that could not be made.
func cloneHint(err error) string {
	switch {
	case os.IsPermission(err):
		return "namespaces are forbidden here: run as root with CAP_SYS_ADMIN, or where user namespaces are allowed; see Probe"
	case err == syscall.ENOSPC || strings.Contains(err.Error(), "no space left"):
		return "a limit in /proc/sys/user/max_*_namespaces is reached"
	}
	return ""
}

// stepHint is a remedy for a failed step.
func (s *startup) stepHint(verb, call string, errno syscall.Errno) string {
	switch verb {
	case "execve":
		return s.executeHint(errno)
	case "unshare", "map", "clone", "clone3":
		return namespaceHint(verb, errno)
	case "setns":
		return setnsHint(errno)
	case "open_tree":
		return sourceHint(call, errno)
	case "mount", "move_mount":
		if hint := mountHint(verb, call, errno); hint != "" {
			return hint
		}
	case "chdir":
		return chdirHint(errno)
	case "overlay":
		if errno == syscall.EINVAL {
			return "the state directory's filesystem cannot hold an overlay's upper layer; set Engine.Dir to one on ext4, xfs, btrfs or tmpfs"
		}
	}
	if errno == syscall.EPERM && (call == "fsmount" || call == "fsconfig") {
		return "a masked /proc or a profile of this host forbids it; see Probe"
	}
	return ""
}

func namespaceHint(verb string, errno syscall.Errno) string {
	switch {
	case verb == "unshare" && (errno == syscall.EPERM || errno == syscall.EACCES):
		return "user namespaces are forbidden: sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), kernel.unprivileged_userns_clone=1 (Debian), or run as root"
	case verb == "unshare" && errno == syscall.ENOSPC:
		return "raise the sysctl user.max_user_namespaces"
	case verb == "map" && errno == syscall.EPERM:
		return "user namespaces are restricted: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case strings.HasPrefix(verb, "clone") && errno == syscall.EPERM:
		return "an AppArmor or seccomp profile of this host forbids namespaces; see Probe"
	}
	return ""
}

func setnsHint(errno syscall.Errno) string {
	switch errno {
	case syscall.EINVAL:
		return "is it a namespace of this kind, and for a user namespace another than the host program's own?"
	case syscall.EPERM:
		return "it belongs to another user, or to another user namespace than those beside it: make namespaces for one program by NewNamespaces"
	}
	return ""
}

func sourceHint(call string, errno syscall.Errno) string {
	switch {
	case errno == syscall.ENOENT || errno == syscall.ENOTDIR:
		return "the source of a bind mount has to be there; it is not made"
	case errno == syscall.EACCES:
		return "the host program may not go to the source of this bind mount"
	case call == "open_tree" && errno == syscall.EINVAL:
		return "a user namespace may not leave out what is mounted below the source: do not set Flat"
	case call == "mount_setattr" && errno == syscall.EINVAL:
		return "the filesystem of the source cannot show other owners: leave IDs empty, or use ext4, xfs, btrfs or tmpfs"
	}
	return ""
}

func mountHint(verb, call string, errno syscall.Errno) string {
	switch {
	case verb == "move_mount" && errno == syscall.ENOTDIR:
		return "the image has something else than a directory there"
	case call == "move_mount" && (errno == syscall.EINVAL || errno == syscall.ENOTDIR):
		return "one of source and target is a directory and the other is not"
	case call == "openat2" && errno == syscall.ELOOP:
		return "the target leads through a link of /proc to an open file, or through a loop of links"
	case errno == syscall.ENOTDIR:
		return "a part of the target is a file"
	case call == "mkdirat" || call == "mknodat":
		return "the target is not there and cannot be made: name one that is"
	}
	return ""
}

func chdirHint(errno syscall.Errno) string {
	switch errno {
	case syscall.ELOOP:
		return "the working directory leads through a link of /proc to an open file, which is refused"
	case syscall.ENOENT:
		return "there is no such directory, and it is not made here"
	case syscall.ENOTDIR:
		return "it is, or leads through, something else than a directory"
	case syscall.EACCES:
		return "it may not be entered with the rights that the start has"
	}
	return ""
}
