package probe

import (
	"context"
	"io/fs"
	"path"
	"strings"
)

// Host is who asks, and where everything is read from. Tests make one of strings.
type Host struct {
	// Files is the root directory. What is read from it are knobs, for the words of remedies, the
	// mounts, and what cgroup this program is in.
	Files fs.FS

	// LookPath finds a program, as exec.LookPath does.
	LookPath func(name string) (string, error)

	UID, GID   int
	User       string // name; "" if it is not known
	Privileged bool   // containers need no user namespace
	SubUIDs    string // the ranges of subordinate ids, for people; "" if there are none
	SubGIDs    string
	SubErr     error // why they could not be found

	// StateDir is where containers are kept. It need not exist.
	StateDir string

	// MapIDs writes the id maps of a process in a new user namespace, as the start of a container does.
	MapIDs func(pid int) error

	// Limit makes a cgroup limited by a controller, "memory", "cpu" or "pids", as the start of a
	// container does, and removes it.
	Limit func(ctx context.Context, controller string) error
}

// read is the contents of a file without the white space around, or "".
func (h *Host) read(name string) string {
	b, err := fs.ReadFile(h.Files, strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// knob is the value of a sysctl, such as "kernel.unprivileged_userns_clone", or "".
func (h *Host) knob(name string) string {
	return h.read("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
}

func (h *Host) exists(name string) bool {
	_, err := fs.Stat(h.Files, strings.TrimPrefix(path.Clean(name), "/"))
	return err == nil
}

// status is a field of /proc/self/status, such as "Seccomp"; proc_pid_status(5).
func (h *Host) status(field string) string {
	for line := range strings.Lines(h.read("/proc/self/status")) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filtered tells whether a seccomp filter is around this program, as containers have one.
func (h *Host) filtered() bool { return h.status("Seccomp") == "2" }

// appArmor is the AppArmor profile of this program, "" where AppArmor is off.
func (h *Host) appArmor() string {
	if h.read("/sys/module/apparmor/parameters/enabled") != "Y" {
		return ""
	}
	// Since 5.8 a file of AppArmor's own, which other security modules leave alone.
	for _, name := range []string{"apparmor/current", "current"} {
		if profile := h.read("/proc/self/attr/" + name); profile != "" {
			return profile
		}
	}
	return "unknown profile"
}

// seLinux is "enforcing", "permissive", or "" where SELinux is off.
func (h *Host) seLinux() string {
	switch h.read("/sys/fs/selinux/enforce") {
	case "1":
		return "enforcing"
	case "0":
		return "permissive"
	}
	return ""
}

// mount is one line of /proc/self/mountinfo; proc_pid_mountinfo(5).
type mount struct {
	root, point, options string
	kind, source, super  string
}

func (h *Host) mounts() []mount {
	var list []mount
	for line := range strings.Lines(h.read("/proc/self/mountinfo")) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(g) < 3 {
			continue
		}
		list = append(list, mount{unescape(f[3]), unescape(f[4]), f[5], g[0], unescape(g[1]), g[2]})
	}
	return list
}

// unescape undoes what the kernel does to white space and backslashes in paths.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// procMasked tells whether something covers a part of every mounted proc, so that the kernel gives a user
// namespace no new one (mount_too_revealing in fs/namespace.c). Places that are made to be mounted on
// are empty directories for ever and do not count.
func procMasked(mounts []mount) bool {
	found := false
	for _, p := range mounts {
		if p.kind != "proc" || p.root != "/" {
			continue
		}
		covered := false
		for _, m := range mounts {
			below, ok := strings.CutPrefix(m.point, p.point+"/")
			covered = covered || ok && below != "sys/fs/binfmt_misc" && below != "fs/nfsd"
		}
		if !covered {
			return false
		}
		found = true
	}
	return found
}

// rootIsMounted tells whether the root directory is one of a mount, which it is not in a chroot.
func rootIsMounted(mounts []mount) bool {
	for _, m := range mounts {
		if m.point == "/" {
			return true
		}
	}
	return false
}
