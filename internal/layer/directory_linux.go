package layer

import (
	"slices"
	"strings"
	"unsafe"
)

// directory is one of the layer that may still be written to: its look is put on when everything is in it, because
// every name made in it changes its time, because its mode may keep its owner out, and because what is made in it
// could take its group or its default access control list.
type directory struct {
	path     string // resolved: no component is a link; "" is the root
	base     string // its last component
	parent   *directory
	children []*directory
	handle   handle // rootHandle: not open, except of the root

	look   look
	full   bool   // all of look is to be put on, and not its time only
	made   uint32 // the mode that it has now
	opaque bool   // it hides what the layers below have in it
	limit  bool   // its name counts in unpacker.restricted
}

const directoryCost = int(unsafe.Sizeof(directory{})) + 64 // with its place in the map

// add makes a directory known.
func (u *unpacker) add(parent *directory, base string, l look, full bool, made uint32) *directory {
	d := &directory{path: join(parent.path, base), base: base, parent: parent, look: l, full: full, made: made}
	u.known[d.path] = d
	parent.children = append(parent.children, d)
	u.cost += d.cost()
	return d
}

func (d *directory) cost() int {
	n := directoryCost + len(d.path)
	for _, x := range d.look.xattrs {
		n += len(x.name) + len(x.value)
	}
	return n
}

// setLook takes the look of an entry. Attributes of an earlier one stay.
func (u *unpacker) setLook(d *directory, l look) error {
	u.cost -= d.cost()
	for _, x := range d.look.xattrs {
		if !slices.ContainsFunc(l.xattrs, func(y attribute) bool { return x.name == y.name }) {
			l.xattrs = append(l.xattrs, x)
		}
	}
	d.look, d.full = l, true
	u.cost += d.cost()
	const all = 0o700
	if keeps := l.mode&all != all; keeps != d.limit {
		d.limit = keeps
		if n := len(d.path) + 64; keeps {
			u.restricted += n
		} else {
			u.restricted -= n
		}
	}
	if u.restricted > maxRestricted {
		return fail("chmod", &LimitError{"bytes of names of directories without owner permission", maxRestricted})
	}
	return nil
}

// forget drops a directory, and those below, of which nothing is to be known any more.
func (u *unpacker) forget(d *directory) {
	for i := len(d.children) - 1; i >= 0; i-- {
		u.forget(d.children[i])
	}
	if d == u.top {
		return
	}
	delete(u.known, d.path)
	u.cost -= d.cost()
	if d.limit {
		u.restricted -= len(d.path) + 64
	}
	if d.handle != rootHandle {
		u.open[d.handle], d.handle = nil, rootHandle
	}
	siblings := d.parent.children
	for i := len(siblings) - 1; i >= 0; i-- {
		if siblings[i] == d {
			d.parent.children = append(siblings[:i], siblings[i+1:]...)
			break
		}
	}
}

// handleOf opens a directory unless it is open. The one that was used least lately makes way.
func (u *unpacker) handleOf(d *directory) (handle, error) {
	if d == u.top {
		return rootHandle, nil
	}
	if d.handle != rootHandle {
		u.clock++
		u.used[d.handle] = u.clock
		return d.handle, nil
	}
	parent, err := u.handleOf(d.parent)
	if err != nil {
		return 0, err
	}
	oldest := rootHandle + 1
	for i := oldest; i < handles; i++ {
		if u.used[i] < u.used[oldest] {
			oldest = i
		}
	}
	if old := u.open[oldest]; old != nil {
		old.handle = rootHandle
	}
	s := step{verb: toOpenDir, dir: parent, name: d.base, into: oldest, off: int64(u.used[oldest]), path: d.path}
	u.clock++
	u.open[oldest], d.handle, u.used[oldest] = d, oldest, u.clock
	return oldest, u.do(s)
}

// do does a step for the current entry.
func (u *unpacker) do(s step) error {
	s.entry = u.entry
	return u.pass(s)
}

// pass does a step.
func (u *unpacker) pass(s step) error {
	u.step = s // a step of its own would be garbage, and there are hundreds of thousands
	return u.h.do(&u.step)
}

// pathIn is the resolved path of a name in its parent. Mostly it is the name.
func pathIn(parent *directory, n entryName) string {
	if n.full != "" && n.dir == parent.path {
		return n.full
	}
	return join(parent.path, n.base)
}

// cutLast splits the last component off a path.
func cutLast(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}
