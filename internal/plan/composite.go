package plan

import (
	"path"
	"sort"
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
func (b *builder) composite() {
	r := &b.c.Root
	b.step("mount", "/ tmpfs for the root directory", "tmpfs(5)")
	b.root = b.filesystem("tmpfs", rootAttrs, param{"mode", "0755"}, param{"size", "1m"})
	for _, e := range r.Entries {
		switch e.Kind {
		case EntryLink:
			b.Symlinkat(e.Target, b.root, e.Name)
		case EntryEmpty:
			b.Mkdirat(b.root, e.Name, e.Mode)
		case EntryOverlay, EntryBind:
			b.Mkdirat(b.root, e.Name, 0o755)
		}
	}
	// Over the host's root, but not in its way: a path still starts at the process's own root directory.
	b.MoveMount(b.root, tape.Cwd, "/", 0)
	b.Dup3(b.root, tape.Int(rootFD), sys.O_CLOEXEC)
	hidden := hiddenBelow(r)
	for _, e := range r.Entries {
		switch e.Kind {
		case EntryOverlay:
			b.entryOverlay(e, hidden[e.Name])
			for _, below := range e.Below {
				b.entryBelow(e.Name, below, hidden[e.Name])
			}
		case EntryBind:
			b.entryBind(e.Name)
			b.cover(e.Name, hidden[e.Name])
		case EntryLink, EntryEmpty:
		}
	}
}

// emptyDirs makes, through the overlay, empty directories where the host's are hidden.
func (b *builder) emptyDirs() {
	for _, d := range b.c.Root.Dirs {
		b.Mkdirat(tape.Cwd, "/"+d.Name, d.Mode).Ignore()
	}
}

const (
	rootFD   = 1001
	rootPath = "/proc/self/fd/1001/"
)

func (b *builder) entryOverlay(e Entry, hidden []string) {
	upper, work := e.Name+".upper", e.Name+".work"
	b.step("overlay", "/"+e.Name+" lower=/"+e.Name, "Documentation/filesystems/overlayfs.rst")
	b.Mkdirat(b.tmpfs, upper, 0o755)
	b.Mkdirat(b.tmpfs, work, 0o700)
	made := map[string]bool{}
	for _, h := range hidden {
		b.whiteout(upper, h, made)
	}
	o := &Overlay{
		Lower: []string{"/" + e.Name}, Upper: memoryPath + upper, Work: memoryPath + work, UserXattr: b.unprivileged(),
	}
	if params, ok := o.Params(b.c.Features); ok {
		b.MoveMount(b.filesystem("overlay", rootAttrs, params...), b.root, e.Name, 0)
		return
	}
	b.Mount("overlay", rootPath+e.Name, "overlay", sys.MS_NOSUID|sys.MS_NODEV, o.Options())
}

// whiteout hides a path of the lower layer: a character device 0:0 in the upper layer, which needs no
// privilege to make; overlayfs.rst, "whiteouts and opaque directories".
func (b *builder) whiteout(upper, name string, made map[string]bool) {
	dir := upper
	parts := strings.Split(name, "/")
	for _, p := range parts[:len(parts)-1] {
		dir += "/" + p
		if !made[dir] {
			b.Mkdirat(b.tmpfs, dir, 0o755)
			made[dir] = true
		}
	}
	b.Mknodat(b.tmpfs, dir+"/"+parts[len(parts)-1], sys.S_IFCHR, 0)
}

// hiddenBelow sorts the hidden paths to the entries that they lie in, without those that lie in another.
func hiddenBelow(r *Root) map[string][]string {
	list := append([]string(nil), r.Hidden...)
	sort.Strings(list)
	below := map[string][]string{}
	last := ""
	for _, h := range list {
		h = strings.TrimPrefix(path.Clean("/"+h), "/")
		if last != "" && (h == last || strings.HasPrefix(h, last+"/")) {
			continue
		}
		if name, rest, ok := strings.Cut(h, "/"); ok {
			below[name] = append(below[name], rest)
			last = h
		}
	}
	return below
}

// entryBelow shows a mount below an overlay, without what is hidden in it.
func (b *builder) entryBelow(name, below string, hidden []string) {
	var inside []string
	for _, h := range hidden {
		if h == below || strings.HasPrefix(below, h+"/") {
			return // hidden as a whole
		}
		if rest, ok := strings.CutPrefix(h, below+"/"); ok {
			inside = append(inside, rest)
		}
	}
	b.entryBind(name + "/" + below)
	b.cover(name+"/"+below, inside)
}

// entryBind shows a directory with the mounts below it, which an overlay would not: read-only as it is.
func (b *builder) entryBind(name string) {
	fd := b.Slot("entry")
	b.step("open_tree", "/"+name+" read-only, with the mounts below it", "open_tree(2), mount_setattr(2)")
	b.OpenTree(tape.Cwd, "/"+name, sys.OPEN_TREE_CLONE|sys.AT_RECURSIVE).To(fd)
	b.MountSetattr(fd, "", sys.AT_EMPTY_PATH|sys.AT_RECURSIVE,
		rootAttrs|sys.MOUNT_ATTR_RDONLY, 0, sys.MS_PRIVATE, tape.Int(0))
	b.MoveMount(fd, b.root, name, 0)
}

// cover hides paths below a read-only copy, which has no upper layer to put whiteouts in: an empty
// filesystem over a directory, and /dev/null over anything else.
func (b *builder) cover(name string, hidden []string) {
	for _, h := range hidden {
		next, file := b.Label(""), b.Label("")
		at, fd := b.Slot("at"), b.Slot("cover")
		b.Openat(b.root, name+"/"+h, sys.O_PATH|sys.O_CLOEXEC, 0).To(at).Else(next)
		b.MoveMount(b.emptyMount(), at, "", sys.MOVE_MOUNT_T_EMPTY_PATH).Then(next).Else(file)
		b.Mark(file)
		b.OpenTree(tape.Cwd, "/dev/null", sys.OPEN_TREE_CLONE).To(fd)
		b.MoveMount(fd, at, "", sys.MOVE_MOUNT_T_EMPTY_PATH)
		b.Mark(next)
	}
}
