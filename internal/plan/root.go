package plan

import (
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// rootAttrs: no device file and no setuid program of an image has any effect; mount_setattr(2).
const rootAttrs = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV

// detach makes, while the host's mounts can still be seen, every mount that needs them. None is
// attached yet: a detached mount is reachable by its descriptor alone.
func (b *builder) detach() {
	b.binds()
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	if !b.empty {
		b.step("mount", "/ private", "mount_namespaces(7): else what is mounted here shows on the host")
		b.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "")
	}
	if b.usesMemory() {
		b.memory()
	}
	if b.c.Root.Kind == Composite {
		b.composite()
	} else {
		b.layers()
	}
	b.detachAPI()
}

// binds copies the sources of bind mounts. It precedes making the tree private, so that a copy can
// stay a peer of its source where propagation is wanted.
func (b *builder) binds() {
	idmap := b.p.FDs.Joins + len(b.p.Joins)
	for i := range b.c.Mounts {
		m := &b.c.Mounts[i]
		fd := b.Slot("source" + itoa(i))
		b.sources = append(b.sources, fd)
		if m.Kind == Tmpfs {
			continue
		}
		b.step("open_tree", m.Source, "open_tree(2): a copy of the mount, attached nowhere")
		flags, deep := sys.OPEN_TREE_CLONE, 0
		if !m.Flat {
			flags, deep = flags|sys.AT_RECURSIVE, sys.AT_RECURSIVE
		}
		b.OpenTree(tape.Cwd, m.Source, flags).To(fd)
		if len(m.IDMap) > 0 {
			b.MountSetattr(fd, "", sys.AT_EMPTY_PATH|deep, sys.MOUNT_ATTR_IDMAP, 0, 0, tape.Int(idmap))
			idmap++
		}
		b.MountSetattr(fd, "", sys.AT_EMPTY_PATH|deep, m.attrs(), 0, uint64(m.Propagation), tape.Int(0))
	}
}

func (m *Mount) attrs() uint64 {
	var a uint64
	for _, f := range []struct {
		on  bool
		bit uint64
	}{
		{m.ReadOnly, sys.MOUNT_ATTR_RDONLY}, {!m.Suid, sys.MOUNT_ATTR_NOSUID},
		{!m.Dev, sys.MOUNT_ATTR_NODEV}, {m.NoExec, sys.MOUNT_ATTR_NOEXEC},
	} {
		if f.on {
			a |= f.bit
		}
	}
	return a
}

// Where the container's memory is found by path while the overlay is made: overlay takes paths, and a
// detached mount has none but that of its descriptor, which therefore has a fixed number.
const memoryFD = 1000

const memoryPath = "/proc/self/fd/1000/"

// memory makes the tmpfs for the writable layer. It hangs over the host's root in this namespace only,
// because overlay before 6.15 refuses layers on detached mounts, and goes away with the old root.
func (b *builder) memory() {
	b.step("mount", "tmpfs for the writable layer", "tmpfs(5)")
	b.tmpfs = b.filesystem("tmpfs", 0, param{"mode", "0700"})
	b.MoveMount(b.tmpfs, tape.Cwd, "/", 0)
	b.Dup3(b.tmpfs, tape.Int(memoryFD), sys.O_CLOEXEC)
}

func (b *builder) usesMemory() bool { return b.c.Root.Memory || b.c.Root.Kind == Composite }

// param is one parameter of a filesystem, key and value; a value of "" makes it a flag.
type param = [2]string

// filesystem makes a detached mount of a new filesystem; fsopen(2), fsmount(2).
func (b *builder) filesystem(kind string, attrs int, params ...param) tape.Arg {
	fs, mnt := b.Slot("fs"), b.Slot(kind)
	b.Fsopen(kind).To(fs)
	for _, p := range params {
		if p[1] == "" {
			b.FsconfigFlag(fs, p[0])
		} else {
			b.FsconfigString(fs, p[0], p[1])
		}
	}
	b.FsconfigCreate(fs)
	b.Fsmount(fs, attrs).To(mnt)
	b.Close(fs)
	return mnt
}

// overlay describes the mount of the container's layers.
func (b *builder) overlay() Overlay {
	r := &b.c.Root
	o := Overlay{Lower: r.Lower, Upper: r.Upper, Work: r.Work, UserXattr: b.unprivileged()}
	if r.Memory {
		o.Upper, o.Work = memoryPath+"upper", memoryPath+"work"
	}
	if r.MountPoints != "" {
		o = o.below(r.MountPoints, b.c.Features)
	}
	return o
}

// layers mounts the overlay that is the container's root, over the host's root.
func (b *builder) layers() {
	o := &b.stack
	if b.c.Root.Memory {
		b.Mkdirat(b.tmpfs, "upper", 0o755)
		b.Mkdirat(b.tmpfs, "work", 0o700)
	}
	b.step("overlay", "/ lower="+strings.Join(o.Lower, ":")+" upper="+o.Upper, "Documentation/filesystems/overlayfs.rst")
	if b.params != nil {
		b.root = b.filesystem("overlay", rootAttrs, b.params...)
		if !b.empty {
			b.MoveMount(b.root, tape.Cwd, "/", 0)
		}
		return
	}
	b.root = b.Slot("overlay")
	b.Mount("overlay", "/", "overlay", sys.MS_NOSUID|sys.MS_NODEV, o.Options())
	// The parent of the root is the root again, but with what is mounted on it; path_resolution(7).
	b.OpenTree(tape.Cwd, "/..", 0).To(b.root)
}

// unprivileged tells whether filesystems are mounted with the rights of a new user namespace only.
func (b *builder) unprivileged() bool { return b.c.Namespaces.User.Mode != UserHost }

// pivot makes the detached root the only root there is.
func (b *builder) pivot() {
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	if b.empty {
		b.enterEmpty()
		return
	}
	b.step("pivot_root", ". .", "pivot_root(2), NOTES: the old root ends up over the new one and is detached")
	b.Fchdir(b.root)
	if b.c.Features.PivotRoot {
		b.PivotRoot(".", ".")
		if b.usesMemory() {
			// It hangs over the old root, which hangs over the new one: the topmost goes first.
			b.Umount2(".", sys.MNT_DETACH)
		}
		b.Umount2(".", sys.MNT_DETACH)
	} else {
		b.Chroot(".").Note("an initramfs refuses pivot_root (EINVAL); the root already hangs over it")
	}
	b.Chdir("/")
	b.emptyDirs()
}
