package plan

import (
	"path"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// composite makes a root directory of the host's: a tmpfs that holds, for each directory of the host,
// an overlay of that directory alone.
//
// One overlay with lowerdir=/ would not do. It cannot be mounted in a user namespace, because the
// host's root has mounts on it that are locked there (mount_namespaces(7)), its writable layer may not
// lie below it, and it would have to hide what this never shows.
//
// An overlay shows one filesystem: what is mounted below its lower directory is not in it. So each mount
// of the host is shown because it is in the list, or not at all. A socket of the host's is a name that
// nobody listens at: the kernel knows a listener by the inode it was bound to, and an overlay has its own.
func (b *builder) composite() {
	places := b.places()
	b.step("mount", "/ tmpfs for the root directory", "tmpfs(5)")
	b.root = b.filesystem("tmpfs", rootAttrs, param{"mode", "0755"}, param{"size", "1m"})
	for i := range places {
		if p := &places[i]; !p.below {
			b.point(p)
		}
	}
	// Over the host's root, but not in its way: a path still starts at the process's own root directory.
	b.MoveMount(b.root, tape.Cwd, "/", 0)
	b.Dup3(b.root, tape.Int(rootFD), sys.O_CLOEXEC)
	for i := range places {
		p := &places[i]
		b.announce(places, i)
		switch p.Kind {
		case EntryOverlay:
			b.entryOverlay(p, i)
		case EntryMount:
			b.orLeaveOut(func() { b.entryOverlay(p, i) })
		case EntryBind, EntryFile:
			b.orLeaveOut(func() { b.entryBind(p) })
		case EntryLink, EntryEmpty:
		}
	}
}

const (
	rootFD   = 1001
	rootPath = "/proc/self/fd/1001"
)

// point makes the name of a place in the root directory, or in a directory that is made of parts.
func (b *builder) point(p *place) {
	name := p.path[1:]
	switch {
	case p.Kind == EntryLink && p.top():
		b.Symlinkat(p.entry.Target, b.root, name)
	case p.Kind == EntryLink:
		b.Symlinkat(p.entry.Target, b.root, name).Ignore().Note("many long ones would fill the tmpfs")
	case p.parts:
		b.like(b.root, name, p.path)
	case p.Kind == EntryEmpty:
		b.Mkdirat(b.root, name, p.entry.Mode)
	case p.Kind == EntryFile:
		b.Mknodat(b.root, name, sys.S_IFREG|0o444, 0)
	default:
		b.Mkdirat(b.root, name, 0o755)
	}
}

// announce starts the step that a place belongs to: its own, or one for all parts of a directory.
func (b *builder) announce(places []place, i int) {
	p := &places[i]
	switch {
	case p.parts && p.top():
		b.step("overlay", p.path+" in parts, for what is mounted below it", "mount_namespaces(7): a user namespace cannot take it off")
	case !p.top() && !p.below:
	case p.Kind == EntryOverlay || p.Kind == EntryMount:
		b.step("overlay", p.path+" lower="+p.path, "Documentation/filesystems/overlayfs.rst")
	case p.Kind == EntryBind || p.Kind == EntryFile:
		b.step("open_tree", p.path+" read-only", "open_tree(2), mount_setattr(2)")
	}
}

// orLeaveOut makes what attaches a mount, and goes on behind it if anything fails. A filesystem that
// overlay cannot have below it, and a file that was just deleted, are no reason not to start.
func (b *builder) orLeaveOut(attach func()) {
	next := b.Label("")
	b.OnError(next)
	attach()
	b.OnError(b.fail)
	b.Mark(next)
}

// emptyDirs makes, through the overlay, empty directories where the host's are hidden.
func (b *builder) emptyDirs() {
	for _, d := range b.c.Root.Dirs {
		b.Mkdirat(tape.Cwd, "/"+d.Name, d.Mode).Ignore()
	}
}

// entryOverlay attaches an overlay of a directory. Its layer has a number, because a name may be too long
// or need escaping.
func (b *builder) entryOverlay(p *place, number int) {
	upper, work := itoa(number)+".upper", itoa(number)+".work"
	b.like(b.tmpfs, upper, p.path)
	b.Mkdirat(b.tmpfs, work, 0o700)
	made := map[string]bool{}
	for _, h := range p.hidden {
		b.whiteout(upper, p.path, h, made)
	}
	o := &Overlay{
		Lower: []string{p.path}, Upper: memoryPath + upper, Work: memoryPath + work, UserXattr: b.unprivileged(),
	}
	mnt, open := b.attachOverlay(o, p)
	switch {
	case !b.c.ReadOnly:
	case p.Kind == EntryOverlay: // not before the plan's own mount points are made in it
		b.shown = append(b.shown, mnt)
		return
	default: // which nothing could be remembered of, if it was left out
		b.MountSetattr(mnt, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0))
	}
	if open {
		b.Close(mnt)
	}
}

// attachOverlay mounts an overlay at its place. It has a descriptor if it needs one.
func (b *builder) attachOverlay(o *Overlay, p *place) (mnt tape.Arg, open bool) {
	if params, ok := o.Params(b.c.Features); ok {
		mnt = b.filesystem("overlay", rootAttrs, params...)
		b.MoveMount(mnt, b.root, p.path[1:], 0)
		return mnt, true
	}
	b.Mount("overlay", rootPath+p.path, "overlay", sys.MS_NOSUID|sys.MS_NODEV, o.Options())
	if b.c.ReadOnly {
		mnt = b.Slot("overlay")
		b.Openat(b.root, p.path[1:], sys.O_PATH|sys.O_CLOEXEC, 0).To(mnt)
	}
	return mnt, b.c.ReadOnly
}

// like makes a directory with the mode and the owner of one of the host's. The upper directory is the one
// whose attributes an overlay shows. In a user namespace the container's root is the owner: the host's
// owners are nobody there, and what is below is read with the rights of the program that set up.
func (b *builder) like(dir tape.Arg, name, host string) {
	a, ok := b.c.Root.Attrs[host]
	if !ok {
		a.Mode = 0o755
	}
	b.Mkdirat(dir, name, a.Mode&0o1777)
	if !b.unprivileged() && (a.UID != 0 || a.GID != 0) {
		b.Fchownat(dir, name, a.UID, a.GID, sys.AT_SYMLINK_NOFOLLOW)
	}
	if a.Mode&0o6000 != 0 { // which mkdir(2) ignores
		b.Fchmodat(dir, name, a.Mode&0o7777)
	}
}

// whiteout hides a path of the lower layer: a character device 0:0 in the upper layer, which needs no
// privilege to make; overlayfs.rst, "whiteouts and opaque directories".
func (b *builder) whiteout(upper, host, name string, made map[string]bool) {
	dir := ""
	parts := strings.Split(name, "/")
	for _, p := range parts[:len(parts)-1] {
		dir = path.Join(dir, p)
		if !made[dir] {
			b.like(b.tmpfs, upper+"/"+dir, host+"/"+dir)
			made[dir] = true
		}
	}
	b.Mknodat(b.tmpfs, upper+"/"+name, sys.S_IFCHR, 0)
}

// entryBind shows a directory or a file as it is, read-only, without what is mounted below it.
func (b *builder) entryBind(p *place) {
	fd := b.Slot("entry")
	b.OpenTree(tape.Cwd, p.path, sys.OPEN_TREE_CLONE|sys.AT_SYMLINK_NOFOLLOW).To(fd)
	b.MountSetattr(fd, "", sys.AT_EMPTY_PATH, rootAttrs|sys.MOUNT_ATTR_RDONLY, 0, sys.MS_PRIVATE, tape.Int(0))
	b.MoveMount(fd, b.root, p.path[1:], 0)
	b.Close(fd)
}
