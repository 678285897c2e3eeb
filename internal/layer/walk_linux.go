package layer

import (
	"hash/maphash"
	"slices"
	"strings"
	"syscall"
)

const (
	maxHops    = 40      // symbolic links in one path, as the kernel's MAXSYMLINKS
	maxLinks   = 1 << 18 // links remembered by their hash; with more, every unknown parent is looked at
	maxAliases = 256     // paths through links remembered
)

// parentOf is the directory that a path leads to, made if it is missing: a tar file needs no entry for a parent.
//
// Mostly it is known, or it is not there and none of the layer's links has its name: then it is made along with
// everything else. Otherwise it is looked for, component by component, when all that was to be done is done.
func (u *unpacker) parentOf(path string) (*directory, error) {
	if d := u.remembered(path); d != nil {
		return d, nil
	}
	if d, missing, ok := u.nearest(path); ok {
		for _, base := range missing {
			var err error
			if d, err = u.imply(d, base); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	return u.walk(path, true)
}

// remembered is the directory that a path is known to lead to, or nil.
func (u *unpacker) remembered(path string) *directory {
	if d := u.known[path]; d != nil {
		return d
	}
	return u.aliases[path]
}

// nearest is the known directory above a path and what is missing below it, if all that is surely missing.
func (u *unpacker) nearest(path string) (d *directory, missing []string, ok bool) {
	for {
		if !u.surelyNoLink(path) {
			return nil, nil, false
		}
		dir, base := cutLast(path)
		missing = append(missing, base)
		if d = u.known[dir]; d != nil {
			slices.Reverse(missing)
			return d, missing, true
		}
		path = dir
	}
}

// surelyNoLink reports that a resolved path that is not known is no link, and no directory either: if it is anything
// then a file or a whiteout, of which judge makes what is right.
func (u *unpacker) surelyNoLink(path string) bool {
	_, isLink := u.links[u.hash(path)]
	return !isLink && !u.forgot && len(u.links) < maxLinks
}

func (u *unpacker) hash(path string) uint64 { return maphash.String(u.seed, path) }

// noteLink remembers that there is a link under this name.
func (u *unpacker) noteLink(path string) {
	if len(u.links) < maxLinks {
		u.links[u.hash(path)] = struct{}{}
	}
}

// imply makes a directory that the layer has no entry for.
func (u *unpacker) imply(parent *directory, base string) (*directory, error) {
	if err := u.count(); err != nil {
		return nil, err
	}
	u.stats.Implied++
	if err := u.noteImplied(join(parent.path, base)); err != nil {
		return nil, err
	}
	l, err := u.plain()
	if err != nil {
		return nil, err
	}
	return u.makeDir(parent, base, l, true)
}

// noteImplied remembers that a directory has no entry, until it gets one.
func (u *unpacker) noteImplied(path string) error {
	if u.implied[path] {
		return nil
	}
	if u.impliedCost += len(path) + impliedCost; u.impliedCost > maxImplied {
		return fail("mkdir", &LimitError{"bytes of names of directories without an entry", maxImplied})
	}
	u.implied[path] = true
	return nil
}

// gotEntry forgets that a directory had none.
func (u *unpacker) gotEntry(path string) {
	if u.implied[path] {
		delete(u.implied, path)
		u.impliedCost -= len(path) + impliedCost
	}
}

// walker resolves one path.
type walker struct {
	u    *unpacker
	at   *directory
	todo []string // components, the last one first
	hops int
	make bool
	gone []string // links gone through
}

// walk resolves a path as the kernel would if the layer's root were "/", and never asks the kernel to follow a link.
func (u *unpacker) walk(path string, make bool) (*directory, error) {
	if err := u.h.settle(); err != nil {
		return nil, err
	}
	w := walker{u: u, at: u.top, make: make}
	w.push(path)
	for len(w.todo) > 0 {
		base := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if err := w.step(base); err != nil {
			return nil, err
		}
	}
	u.addAlias(path, w.at, w.gone)
	return w.at, nil
}

func (w *walker) push(path string) {
	at := len(w.todo)
	for c := range strings.SplitSeq(path, "/") {
		if c != "" && c != "." {
			w.todo = append(w.todo, c)
		}
	}
	slices.Reverse(w.todo[at:])
}

func (w *walker) step(base string) error {
	u := w.u
	if base == ".." {
		if w.at.parent != nil {
			w.at = w.at.parent
		}
		return nil
	}
	path := join(w.at.path, base)
	if len(path) > maxResolved {
		return fail("open", &LimitError{"bytes in a resolved path", maxResolved})
	}
	if d := u.known[path]; d != nil {
		w.at = d
		return nil
	}
	if w.make && u.surelyNoLink(path) {
		var err error
		w.at, err = u.imply(w.at, base)
		return err
	}
	dir, err := u.handleOf(w.at)
	if err != nil {
		return err
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	e, err := u.h.stat(dir, base)
	switch {
	case err == syscall.ENOENT && w.make:
		w.at, err = u.imply(w.at, base)
		return err
	case err != nil:
		return fail("open", err)
	case e.IsDir():
		w.at = u.add(w.at, base, look{mtime: e.Mtime}, false, e.Mode&0o7777)
		return nil
	case e.IsSymlink():
		return w.follow(dir, base, path)
	case e.IsWhiteout() && w.make: // removed and made again by this layer: judge makes it opaque
		w.at, err = u.imply(w.at, base)
		return err
	}
	return fail("open", syscall.ENOTDIR)
}

// follow puts a link's target before the rest of the path.
func (w *walker) follow(dir handle, base, path string) error {
	if w.hops++; w.hops > maxHops {
		return fail("open", syscall.ELOOP)
	}
	target, err := w.u.h.readlink(dir, base)
	if err != nil {
		return fail("readlink", err)
	}
	w.gone = append(w.gone, path)
	if strings.HasPrefix(target, "/") {
		w.at = w.u.top
	}
	w.push(target)
	return nil
}

// addAlias remembers where a path through links leads.
func (u *unpacker) addAlias(path string, d *directory, links []string) {
	if len(links) == 0 {
		return
	}
	if u.aliases == nil || len(u.aliases) >= maxAliases {
		u.aliases, u.crossed = map[string]*directory{}, map[string]struct{}{}
	}
	u.aliases[path] = d
	for _, l := range links {
		u.crossed[l] = struct{}{}
	}
}

// dropAliases forgets where links lead.
func (u *unpacker) dropAliases() { u.aliases, u.crossed = nil, nil }

// way clears what is known about a name that is about to be made, other than as a directory.
func (u *unpacker) way(parent *directory, n entryName) error {
	path := pathIn(parent, n)
	if _, ok := u.crossed[path]; ok {
		u.dropAliases()
	}
	d := u.known[path]
	if d == nil {
		return nil
	}
	dir, err := u.handleOf(parent)
	if err != nil {
		return err
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	u.dropAliases()
	u.forget(d)
	return fail("remove", u.h.removeAll(dir, n.base))
}
