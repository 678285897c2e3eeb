package layer

import (
	"archive/tar"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// model is the tree that a layer should have become, in memory.
type model struct {
	o     *Options
	top   *twin
	count int64
	now   sys.Time
}

// twin is a file of the model. A hard link is the same twin in another place.
type twin struct {
	up   *twin // nil for the root
	base string

	typ      uint32 // S_IFREG, ...
	whiteout bool
	opaque   bool
	mode     uint32
	uid, gid uint32
	mtime    sys.Time
	target   string
	rdev     uint64
	xattrs   map[string]string
	children map[string]*twin
	links    int // names of this twin

	bad    string // what is wrong with the content
	unread bool
	size   int64
	dev    uint64 // on the disk, once it has been seen there
	ino    uint64
}

func (n *twin) isDir() bool { return n.typ == syscall.S_IFDIR }

// path is the place where the twin was made.
func (n *twin) path() string {
	var parts []string
	for ; n.up != nil; n = n.up {
		parts = append(parts, n.base)
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(parts[i])
	}
	return b.String()
}

func newModel(o *Options) *model {
	m := &model{o: o}
	m.top = &twin{typ: syscall.S_IFDIR, mode: 0o755, links: 1, children: map[string]*twin{}}
	m.top.uid, m.top.gid, _ = m.owner(0, 0)
	return m
}

// entry applies one entry, and returns the twin that it has made or changed, if any.
func (m *model) entry(h *tar.Header) (*twin, error) {
	if m.count++; m.count > m.o.Limits.Entries {
		return nil, fail("read", &LimitError{"entries", m.o.Limits.Entries})
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil, nil
	}
	n, err := parseName(h.Name, m.o.Limits)
	if err != nil {
		return nil, fail("name", err)
	}
	if n.kind == kindIgnored {
		return nil, nil
	}
	m.now = sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	if n.kind == kindPlain && n.base == "" {
		return m.top, m.dress(m.top, h)
	}
	if n.kind == kindPlain && m.leftOut(h) {
		return nil, nil
	}
	dir, err := m.enter(n.dir, 0)
	if err != nil {
		return nil, err
	}
	switch n.kind {
	case kindOpaque:
		dir.opaque = true
		return nil, nil
	case kindWhiteout:
		if old := dir.children[n.base]; old == nil {
			m.put(dir, n.base, &twin{typ: syscall.S_IFCHR, whiteout: true})
		} else if old.isDir() {
			old.opaque = true
		}
		return nil, nil
	}
	return m.plain(dir, n.base, h)
}

// leftOut reports devices that are not made.
func (m *model) leftOut(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeChar:
		return !m.o.Devices || h.Devmajor == 0 && h.Devminor == 0
	case tar.TypeBlock:
		return !m.o.Devices
	}
	return false
}

// put gives a twin a name, in place of what had it.
func (m *model) put(dir *twin, base string, n *twin) *twin {
	if old := dir.children[base]; old != nil {
		old.links--
	}
	if n.links++; n.links == 1 {
		n.up, n.base = dir, base
	}
	dir.children[base] = n
	return n
}

func (m *model) plain(dir *twin, base string, h *tar.Header) (*twin, error) {
	n := &twin{}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		n.typ = syscall.S_IFREG
	case tar.TypeDir:
		return m.directory(dir, base, h)
	case tar.TypeSymlink:
		n.typ, n.target = syscall.S_IFLNK, h.Linkname
	case tar.TypeLink:
		return m.hardLink(dir, base, h)
	case tar.TypeFifo:
		n.typ = syscall.S_IFIFO
	case tar.TypeChar:
		n.typ, n.rdev = syscall.S_IFCHR, sys.Makedev(uint32(h.Devmajor), uint32(h.Devminor))
	case tar.TypeBlock:
		n.typ, n.rdev = syscall.S_IFBLK, sys.Makedev(uint32(h.Devmajor), uint32(h.Devminor))
	default:
		return nil, fail("type", ErrType)
	}
	return m.put(dir, base, n), m.dress(n, h)
}

// directory makes a directory, or gives one that the layer made before its new look. In place of something else it
// hides the directory of the layers below.
func (m *model) directory(dir *twin, base string, h *tar.Header) (*twin, error) {
	n := dir.children[base]
	if n == nil || !n.isDir() {
		opaque := n != nil
		n = m.put(dir, base, &twin{typ: syscall.S_IFDIR, children: map[string]*twin{}, opaque: opaque})
	}
	return n, m.dress(n, h)
}

func (m *model) hardLink(dir *twin, base string, h *tar.Header) (*twin, error) {
	t, err := parseName(h.Linkname, m.o.Limits)
	if err == nil && (t.kind != kindPlain || t.base == "") {
		err = ErrName
	}
	if err != nil {
		return nil, fail("link", err)
	}
	from, err := m.find(t.dir)
	if err != nil {
		return nil, fail("link", err)
	}
	n := from.children[t.base]
	switch {
	case n == nil || n.whiteout:
		return nil, fail("link", syscall.ENOENT)
	case n.isDir():
		return nil, fail("link", syscall.EISDIR)
	case dir.children[base] == n:
		return nil, nil
	}
	m.put(dir, base, n)
	return nil, nil
}

// dress gives a twin the look that the header says.
func (m *model) dress(n *twin, h *tar.Header) (err error) {
	n.mode = uint32(h.Mode) & 0o7777
	n.mtime = sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	if n.uid, n.gid, err = m.owner(h.Uid, h.Gid); err != nil {
		return fail("chown", err)
	}
	if n.typ != syscall.S_IFREG && !n.isDir() {
		return nil // has no attributes
	}
	for _, name := range xattrs(h) {
		if refuseXattr(name, m.o) != "" {
			continue
		}
		if n.xattrs == nil {
			n.xattrs = map[string]string{}
		}
		n.xattrs[name] = h.PAXRecords[paxXattr+name]
	}
	return nil
}

func (m *model) owner(uid, gid int) (uint32, uint32, error) {
	switch {
	case m.o.IgnoreOwners:
		uid, gid = os.Geteuid(), os.Getegid()
	case m.o.Owner != nil:
		var err error
		if uid, gid, err = m.o.Owner(uid, gid); err != nil {
			return 0, 0, err
		}
	}
	if !validID(uid) || !validID(gid) {
		return 0, 0, ErrOwner
	}
	return uint32(uid), uint32(gid), nil
}
