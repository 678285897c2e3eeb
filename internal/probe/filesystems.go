package probe

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

const apiAttrs = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC

// filesystems tries what a container mounts, the way a container of this program would. layers is a
// directory for an overlay on the filesystem of the state directory, or "".
func filesystems(h *Host, layers string) *script {
	s := newScript()
	if !h.Privileged {
		s.enterUser(h.UID, h.GID)
	}
	s.enterMounts()
	for _, flag := range []int{sys.CLONE_NEWIPC, sys.CLONE_NEWNET, sys.CLONE_NEWCGROUP, sys.CLONE_NEWPID} {
		s.attempt(func() { s.Unshare(flag) })
	}
	// In the order in which a container has it: proc and sysfs are only to be had while the host's are in sight.
	var memory tape.Arg
	s.must(MountAPI, func() { memory = s.memory() })
	s.try(Tmpfs, func() { s.filesystem("tmpfs", apiAttrs, "mode", "1777", "size", "64k") })
	s.try(Sysfs, func() { s.filesystem("sysfs", apiAttrs|sys.MOUNT_ATTR_RDONLY) })
	s.try(Mqueue, func() { s.filesystem("mqueue", apiAttrs) })
	s.try(Devpts, func() {
		s.filesystem("devpts", sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NOEXEC, "ptmxmode", "0666", "mode", "0620")
	})
	s.try(CgroupFS, func() { s.filesystem("cgroup2", apiAttrs|sys.MOUNT_ATTR_RDONLY) })
	s.try(MountSetattr, func() {
		mnt := s.Slot("mnt")
		s.OpenTree(tape.Cwd, ".", sys.OPEN_TREE_CLONE).To(mnt)
		s.MountSetattr(mnt, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0))
	})
	s.overlays(h)
	if layers != "" {
		s.try(OverlayState, func() {
			s.Chdir(layers).Note(layers)
			s.mountOverlayHere("m", overlayFlags(h))
		})
		s.attempt(func() { s.Fchdir(memory) })
	}
	init := s.fork(func() { s.try(Proc, func() { s.filesystem("proc", apiAttrs) }) })
	s.reap(init, false)
	s.try(PivotRoot, func() {
		root := s.filesystem("tmpfs", 0, "size", "64k")
		s.MoveMount(root, tape.Cwd, "/", 0)
		s.Fchdir(root)
		s.PivotRoot(".", ".")
	})
	return s
}

// overlays tries the ways to make an overlay, the newest last.
func (s *script) overlays(h *Host) {
	s.try(Overlay, func() { s.mountOverlay("a", overlayFlags(h)) })
	s.try(OverlayFsconfig, func() { s.configOverlay("b", h.Privileged, "lowerdir") })
	s.try(OverlayLowerAdd, func() { s.configOverlay("c", h.Privileged, "lowerdir+") })
	s.try(OverlayFD, func() {
		s.layers("d")
		fs := s.Slot("fs")
		s.Fsopen("overlay").To(fs)
		for _, p := range [][2]string{{"lowerdir+", "d/lower"}, {"upperdir", "d/upper"}, {"workdir", "d/work"}} {
			fd := s.Slot("layer")
			s.Openat(tape.Cwd, p[1], sys.O_PATH|sys.O_CLOEXEC, 0).To(fd)
			s.FsconfigFD(fs, p[0], fd).Note(p[0])
		}
		s.create(fs, h.Privileged)
	})
}

// overlayFlags are what overlay needs beside its directories: in a user namespace its marks cannot be
// trusted.* attributes.
func overlayFlags(h *Host) string {
	if h.Privileged {
		return ""
	}
	return ",userxattr"
}

// memory makes a tmpfs and works in it. It hangs over the root of this mount namespace, where it is in
// nobody's way: a path still starts at the root directory that the process has. It is attached because
// overlay before 6.15 refuses layers on mounts that are not.
func (s *script) memory() tape.Arg {
	mnt := s.filesystem("tmpfs", 0, "mode", "0755")
	s.MoveMount(mnt, tape.Cwd, "/", 0)
	s.Fchdir(mnt)
	return mnt
}

// filesystem makes a detached mount; params are keys and values.
func (s *script) filesystem(kind string, attrs int, params ...string) tape.Arg {
	fs, mnt := s.Slot("fs"), s.Slot(kind)
	s.Fsopen(kind).To(fs).Note(kind)
	for i := 0; i < len(params); i += 2 {
		s.FsconfigString(fs, params[i], params[i+1]).Note(kind + " " + params[i])
	}
	s.FsconfigCreate(fs).Note(kind)
	s.Fsmount(fs, attrs).To(mnt).Note(kind)
	s.Close(fs)
	return mnt
}

// layers are the directories of an overlay.
var layerDirs = []string{"lower", "upper", "work", "m"}

// layers makes the directories of an overlay in one.
func (s *script) layers(name string) {
	s.Mkdirat(tape.Cwd, name, 0o755)
	for _, d := range layerDirs {
		s.Mkdirat(tape.Cwd, name+"/"+d, 0o755)
	}
}

// mountOverlay mounts an overlay of directories that it makes, by mount(2).
func (s *script) mountOverlay(name, flags string) {
	s.layers(name)
	s.Mount("overlay", name+"/m", "overlay", sys.MS_NOSUID|sys.MS_NODEV,
		"lowerdir="+name+"/lower,upperdir="+name+"/upper,workdir="+name+"/work"+flags).Note("overlay")
}

// mountOverlayHere is mountOverlay in the working directory, with directories that are there.
func (s *script) mountOverlayHere(target, flags string) {
	s.Mount("overlay", target, "overlay", sys.MS_NOSUID|sys.MS_NODEV, "lowerdir=lower,upperdir=upper,workdir=work"+flags).Note("overlay")
	s.Umount2(target, sys.MNT_DETACH)
}

// configOverlay makes an overlay parameter by parameter. Before 6.5 the kernel takes any parameter, and
// refuses when the filesystem is created, if at all.
func (s *script) configOverlay(name string, privileged bool, lower string) {
	s.layers(name)
	fs := s.Slot("fs")
	s.Fsopen("overlay").To(fs).Note("overlay")
	for _, p := range [][2]string{{lower, name + "/lower"}, {"upperdir", name + "/upper"}, {"workdir", name + "/work"}} {
		s.FsconfigString(fs, p[0], p[1]).Note("overlay " + p[0])
	}
	s.create(fs, privileged)
}

func (s *script) create(fs tape.Arg, privileged bool) {
	if !privileged {
		s.FsconfigFlag(fs, "userxattr").Note("overlay userxattr")
	}
	s.FsconfigCreate(fs).Note("overlay")
	s.Fsmount(fs, sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NODEV).Note("overlay")
}
