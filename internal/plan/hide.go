package plan

import (
	"slices"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// What /proc and /sys tell that a container has no business with: physical addresses, keys, other
// containers' timers and interrupts, firmware. Docker's list, and what it leaves readable that helps
// an attack on the kernel or a neighbour.
var (
	maskedFiles = []string{
		"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg", "/proc/kallsyms", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/interrupts", "/proc/modules",
		"/proc/config.gz", "/proc/pagetypeinfo", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup",
		"/proc/slabinfo", "/proc/vmallocinfo", "/proc/iomem", "/proc/ioports", "/sys/kernel/notes",
	}
	// The first is in every sysfs.
	maskedDirs = []string{
		"/sys/firmware", "/sys/module", "/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/devices/virtual/powercap",
	}
	// Where other filesystems are mounted on a host. In a sysfs of the container's own these directories are empty
	// and stay so (sysfs_create_mount_point); a copy of the host's has the mounts too.
	mountedInSys = []string{"/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf"}
	readOnly     = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// hide covers paths of /proc and /sys. It comes before any mount of the caller's, so that /dev/null and
// the paths are what this plan made. What a kernel does not have needs no cover (ENOENT).
func (b *builder) hide() {
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	b.step("mask", "files of /proc and /sys under /dev/null", "runtime-spec, config-linux.md, \"Masked Paths\"")
	for _, f := range maskedFiles {
		b.Mount("/dev/null", f, "", sys.MS_BIND, "").Allow(sys.ENOENT)
	}
	b.step("mask", "directories of /proc and /sys under an empty one", "runtime-spec, config-linux.md, \"Masked Paths\"")
	// A directory of /dev that is removed once it hangs everywhere: what is removed can hold nothing.
	b.Mkdirat(tape.Cwd, emptyDir, 0o555)
	// It never hangs anywhere that it would have to be unmounted from, which costs an RCU grace period.
	first := maskedDirs[0]
	b.Mount(emptyDir, first, "", sys.MS_BIND, "")
	b.MountSetattr(tape.Cwd, first, 0, apiAttrs|sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0))
	dirs := maskedDirs[1:]
	if b.sysfsOfHost() {
		dirs = slices.Concat(dirs, mountedInSys)
		if !b.ownCgroups() {
			dirs = append(dirs, "/sys/fs/cgroup")
		}
	}
	for _, d := range dirs {
		b.Mount(first, d, "", sys.MS_BIND, "").Allow(sys.ENOENT)
	}
	b.Unlinkat(tape.Cwd, emptyDir, sys.AT_REMOVEDIR)
	b.step("read-only", "paths of /proc", "runtime-spec, config-linux.md, \"Readonly Paths\"")
	for _, f := range readOnly {
		b.Mount(f, f, "", sys.MS_BIND|sys.MS_REC, "").Allow(sys.ENOENT)
		b.MountSetattr(tape.Cwd, f, 0, sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0)).Allow(sys.ENOENT)
	}
}

const emptyDir = "/dev/.empty"

// etc puts generated files over those of the image. They live in the memory of /dev, have no name there,
// and are mounted on the files themselves: on a symbolic link too, which is not followed.
func (b *builder) etc() {
	if len(b.c.Etc) == 0 || b.c.Namespaces.Mount.Mode != New {
		return
	}
	b.step("bind", "generated files on /etc", "hosts(5), hostname(5), resolv.conf(5)")
	dir := b.Slot("etc")
	b.Mkdirat(tape.Cwd, "/etc", 0o755).Allow(sys.EEXIST)
	b.Openat2(tape.Cwd, "/etc", sys.O_PATH|sys.O_CLOEXEC, 0, sys.RESOLVE_NO_MAGICLINKS).To(dir)
	for _, f := range b.c.Etc {
		fd, mnt := b.Slot("file"), b.Slot(f.Name)
		name := f.temporary()
		b.Openat(b.dev, name, sys.O_CREAT|sys.O_EXCL|sys.O_WRONLY|sys.O_CLOEXEC, 0o644).To(fd)
		b.Write(fd, f.Content)
		b.Close(fd)
		b.OpenTree(b.dev, name, sys.OPEN_TREE_CLONE).To(mnt)
		missing, next := b.Label(""), b.Label("")
		b.MoveMount(mnt, dir, f.Name, 0).Then(next).Else(missing)
		b.Mark(missing)
		// Where the image's directory belongs to nobody we are, what is not there stays so.
		b.Mknodat(dir, f.Name, sys.S_IFREG|0o644, 0).Allow(sys.EEXIST).Else(next)
		b.MoveMount(mnt, dir, f.Name, 0)
		b.Mark(next)
	}
}

func (f *File) temporary() string { return ".etc-" + f.Name }

// forget removes the names that the generated files had in /dev; mounted, they live on. It comes after
// the caller's mounts, because nothing can be mounted over a file that has no name.
func (b *builder) forget() {
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	for i := range b.c.Etc {
		b.Unlinkat(b.dev, b.c.Etc[i].temporary(), 0).Ignore().Note("busy where the caller mounted over it")
	}
}
