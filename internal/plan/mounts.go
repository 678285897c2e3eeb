package plan

import (
	"path"
	"strconv"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Filesystem types of statfs(2) that no mount of the caller's may cover a part of: a file over
// /proc/self/attr or /proc/sys would receive what the kernel was meant to; CVE-2019-19921, CVE-2025-52881.
var protected = []uint64{
	0x9fa0,     // PROC_SUPER_MAGIC
	0x62656572, // SYSFS_MAGIC
	0x1cd1,     // DEVPTS_SUPER_MAGIC: the terminal comes from there
}

// attach mounts what the caller asked for. Targets are resolved in the new root, without the links of
// /proc that lead to open files (RESOLVE_NO_MAGICLINKS, openat2(2)).
func (b *builder) attach() {
	if b.c.Namespaces.Mount.Mode != New {
		return
	}
	for i := range b.c.Mounts {
		m := &b.c.Mounts[i]
		mnt := b.sources[i]
		b.step("mount", m.describe(), "move_mount(2), mount_setattr(2)")
		if m.Kind == Tmpfs {
			mnt = b.filesystem("tmpfs", int(m.attrs()), tmpfsParams(m.Options)...)
		}
		at := b.target(m)
		b.MoveMount(mnt, at, "", sys.MOVE_MOUNT_T_EMPTY_PATH)
		b.Close(at)
	}
	if b.c.ReadOnly {
		b.step("read-only", "/", "mount_setattr(2)")
		b.MountSetattr(tape.Cwd, "/", 0, sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0))
		for _, mnt := range b.shown {
			b.MountSetattr(mnt, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, 0, 0, tape.Int(0))
		}
	}
}

func (m *Mount) describe() string {
	s := m.Target
	if m.Kind == Tmpfs {
		s += " tmpfs"
	} else {
		s += " <- " + m.Source
	}
	if m.ReadOnly {
		s += ", read-only"
	}
	return s
}

func tmpfsParams(options string) []param {
	var params []param
	for _, o := range strings.Split(options, ",") {
		if key, value, ok := strings.Cut(o, "="); ok {
			params = append(params, param{key, value})
		}
	}
	return params
}

// target opens the mount point, making it and the directories above it where they are missing.
func (b *builder) target(m *Mount) tape.Arg {
	at := b.Slot("at")
	found, missing := b.Label(""), b.Label("")
	b.open(m.Target).To(at).Then(found).Else(missing)
	b.Mark(missing)
	b.makeDirs(path.Dir(m.Target))
	dir := b.Slot("dir")
	b.open(path.Dir(m.Target)).To(dir)
	if m.File {
		b.Mknodat(dir, path.Base(m.Target), sys.S_IFREG|0o644, 0).Allow(sys.EEXIST)
	} else {
		b.Mkdirat(dir, path.Base(m.Target), 0o755).Allow(sys.EEXIST)
	}
	b.Close(dir)
	b.open(m.Target).To(at)
	b.Mark(found)
	b.refuse(at)
	return at
}

// open opens a path of the container for use as a place, not for its contents.
func (b *builder) open(p string) tape.Op {
	return b.Openat2(tape.Cwd, p, sys.O_PATH|sys.O_CLOEXEC, 0, sys.RESOLVE_NO_MAGICLINKS)
}

// makeDirs makes a directory and those above it, each in an opened parent.
func (b *builder) makeDirs(dir string) {
	parts := strings.Split(strings.Trim(dir, "/"), "/")
	parent := "/"
	for _, name := range parts {
		if name == "" {
			continue
		}
		fd := b.Slot("parent")
		b.open(parent).To(fd)
		b.Mkdirat(fd, name, 0o755).Allow(sys.EEXIST)
		b.Close(fd)
		parent = path.Join(parent, name)
	}
}

// NoteProtected is the note on the operation that fails when a mount would cover a part of /proc, /sys or /dev/pts.
const NoteProtected = "a mount over a part of /proc, /sys or /dev/pts is refused"

const noSuchFlag = 1 << 30

// refuse fails if a place lies in a filesystem that is not the caller's to change.
func (b *builder) refuse(at tape.Arg) {
	buf := b.Zero(120) // struct statfs; its first word is the type
	b.Fstatfs(at, buf)
	for _, magic := range protected {
		bad, good := b.Label(""), b.Label("")
		b.If(buf.Field(0), tape.Uint(magic), bad, good)
		b.Mark(bad)
		// There is no operation to fail with: this one is EINVAL on every kernel, and its note says why.
		b.Umount2("/", noSuchFlag).Note(NoteProtected)
		b.Mark(good)
	}
}
