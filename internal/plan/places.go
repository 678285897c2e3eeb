package plan

import (
	"path"
	"slices"
	"strings"
)

// place is an entry of a Composite root, with where it is and what is hidden in it.
type place struct {
	Kind   EntryKind
	entry  *Entry
	path   string   // absolute
	hidden []string // relative to path
	parts  bool     // a directory that entries of its own make up
	below  bool     // its mount point is there, in the overlay around it
}

// top tells whether the place is a name in the root directory.
func (p *place) top() bool { return strings.LastIndexByte(p.path, '/') == 0 }

// places lists the entries with all that is in them, directories before what is in them.
//
// A user namespace has the mounts of its maker as one piece (mount_namespaces(7)): overlay refuses a lower
// directory with mounts below it there, and so does open_tree(2) a copy without them. A directory with
// mounts below is then made of its parts, each of which the kernel gives only if nothing is mounted in it.
func (b *builder) places() []place {
	r := &b.c.Root
	hidden := topmost(r.Hidden)
	var list []place
	for i := range r.Entries {
		e := &r.Entries[i]
		p := "/" + e.Name
		if covered(hidden, p) {
			list = append(list, place{Kind: EntryEmpty, entry: &Entry{Mode: 0o755}, path: p})
			continue
		}
		list = b.addPlace(list, e, p, hidden)
	}
	assign(list, hidden)
	for i := range list {
		if p := &list[i]; p.Kind == EntryBind && len(p.hidden) > 0 {
			p.Kind = EntryMount // a bind has no layer to hide anything in
		}
	}
	return list
}

// addPlace adds an entry that is not hidden.
func (b *builder) addPlace(list []place, e *Entry, at string, hidden []string) []place {
	kind := e.Kind
	taken := e.Locked && b.unprivileged() && (kind == EntryOverlay || kind == EntryMount)
	if taken {
		kind = EntryEmpty
	}
	list = append(list, place{Kind: kind, entry: e, path: at, parts: taken})
	inside := e.Below
	if taken {
		inside = e.Parts
	} else if b.unprivileged() {
		inside = nil
	}
	for i := range inside {
		n := &inside[i]
		p := path.Join(at, n.Name)
		if covered(hidden, p) {
			continue
		}
		first := len(list)
		list = b.addPlace(list, n, p, hidden)
		list[first].below = !taken
	}
	return list
}

// topmost sorts paths and leaves out those that lie in another.
func topmost(paths []string) []string {
	list := make([]string, 0, len(paths))
	for _, p := range paths {
		list = append(list, path.Clean("/"+p))
	}
	slices.Sort(list)
	kept := list[:0]
	for _, p := range list {
		if p != "/" && !covered(kept, p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// covered tells whether a path is in a sorted list, or lies in one that is.
func covered(list []string, p string) bool {
	for ; p != "/"; p = path.Dir(p) {
		if _, found := slices.BinarySearch(list, p); found {
			return true
		}
	}
	return false
}

// assign gives each hidden path to every place that it lies in: to the mount that shows it, and to what the
// mount is on, which shows if the mount is left out.
func assign(list []place, hidden []string) {
	at := make(map[string]int, len(list))
	for i := range list {
		at[list[i].path] = i
	}
	for _, h := range hidden {
		for dir := path.Dir(h); dir != "/"; dir = path.Dir(dir) {
			if i, ok := at[dir]; ok {
				list[i].hidden = append(list[i].hidden, strings.TrimPrefix(h, dir+"/"))
			}
		}
	}
}
