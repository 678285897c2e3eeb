package layer

import (
	"strings"
	"syscall"
)

// find walks to a directory of the model as the kernel would, with the layer's root as "/".
func (m *model) find(path string) (*twin, error) {
	at, hops := m.top, 0
	left := split(path)
	for len(left) > 0 {
		part := left[0]
		left = left[1:]
		if part == ".." {
			if at.up != nil {
				at = at.up
			}
			continue
		}
		next := at.children[part]
		switch {
		case next == nil:
			return nil, syscall.ENOENT
		case next.isDir():
			at = next
		case next.typ == syscall.S_IFLNK:
			if hops++; hops > maxHops {
				return nil, syscall.ELOOP
			}
			if strings.HasPrefix(next.target, "/") {
				at = m.top
			}
			left = append(split(next.target), left...)
		default:
			return nil, syscall.ENOTDIR
		}
	}
	return at, nil
}

func split(path string) []string {
	parts := strings.Split(path, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			kept = append(kept, p)
		}
	}
	return kept
}

// enter finds the directory that entries are made in, and makes what is missing on the way, as Unpack does.
func (m *model) enter(path string, hops int) (*twin, error) {
	n, err := m.find(path)
	if path == "" || err != syscall.ENOENT && err != syscall.ENOTDIR {
		return n, fail("open", err)
	}
	if err := m.imply(path, hops); err != nil {
		return nil, err
	}
	n, err = m.find(path)
	return n, fail("open", err)
}

// imply makes the last component of path, a parent directory without an entry.
func (m *model) imply(path string, hops int) error {
	dir, base := cutLast(path)
	parent, err := m.enter(dir, hops)
	if err != nil {
		return err
	}
	old := parent.children[base]
	switch {
	case old == nil:
		return m.implied(parent, base, false)
	case old.isDir():
		return nil
	case old.whiteout: // removed and made again: nothing of the layers below may show in it
		return m.implied(parent, base, true)
	case old.typ != syscall.S_IFLNK:
		return fail("mkdir", syscall.ENOTDIR)
	case hops >= maxHops:
		return fail("open", syscall.ELOOP)
	}
	target := strings.Trim(old.target, "/")
	if !strings.HasPrefix(old.target, "/") && dir != "" {
		target = dir + "/" + target
	}
	_, err = m.enter(target, hops+1)
	return err
}

func (m *model) implied(parent *twin, base string, opaque bool) error {
	if m.count++; m.count > m.o.Limits.Entries {
		return fail("read", &LimitError{"entries", m.o.Limits.Entries})
	}
	n := &twin{typ: syscall.S_IFDIR, mode: 0o755, mtime: m.now, children: map[string]*twin{}, opaque: opaque}
	m.put(parent, base, n)
	var err error
	n.uid, n.gid, err = m.owner(0, 0)
	return fail("chown", err)
}
