package changes

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// walker goes through a tree in order: names of a directory sorted as bytes, a directory before what is in it.
type walker struct {
	ctx    context.Context
	t      *Tree
	limits Limits
	pool   *pool
	prefix string

	frames []*frame
	path   []byte // of the innermost directory; those of the others are its beginnings
	held   int    // memory for the names of all frames
	oldest int    // frames before this one hold no names
}

func newWalker(ctx context.Context, t *Tree, l Limits) *walker {
	return &walker{ctx: ctx, t: t, limits: l, pool: newPool(t.opener()), prefix: t.prefix()}
}

func (w *walker) close() {
	for _, f := range w.frames {
		f.forget()
	}
	w.pool.close()
}

// frame is a directory that is being gone through.
type frame struct {
	name  string  // "" is the root
	end   int     // of its path in that of the walker
	stack []*node // what is merged in it, top first
	lower []*node // what it is compared with, top first
	alone bool    // lower is hidden: this or a directory above is opaque
	note  note    // for the visitor

	names []listed
	cost  int
	after string // the last name gone through
	more  bool   // there are names behind those in names
	next  int    // in names
	found []item // what is known of the names from next on
}

// note is what the visitors remember of a directory.
type note struct {
	change *Kind   // not reported unless something in the directory is
	header *header // not written unless something in the directory is
}

// item is one name of a directory.
type item struct {
	listed
	Looked
	link *Link
	file *File
}

// close closes the file if it was opened in advance and nobody has wanted it.
func (it *item) close() {
	if it != nil && it.file != nil && it.file.Err == nil {
		_ = it.file.Close()
	}
}

// forget closes what was opened in advance, and gives up what can be read again.
func (f *frame) forget() {
	for i := range f.found {
		f.found[i].close()
	}
	f.names, f.found, f.next, f.cost, f.more = nil, nil, 0, 0, true
}

// push enters a directory.
func (w *walker) push(f *frame) {
	if f.more = true; f.name != "" {
		w.path = append(append(w.path, '/'), f.name...)
	}
	f.end = len(w.path)
	w.frames = append(w.frames, f)
}

// pop leaves the directory.
func (w *walker) pop() {
	f := w.top()
	w.held -= f.cost
	f.forget()
	for _, n := range f.stack {
		w.pool.drop(n)
	}
	for _, n := range f.lower {
		w.pool.drop(n)
	}
	w.frames[len(w.frames)-1] = nil
	if w.frames = w.frames[:len(w.frames)-1]; len(w.frames) > 0 {
		w.path = w.path[:w.top().end]
	}
	w.oldest = min(w.oldest, len(w.frames))
}

// at is the path of a directory that is being gone through. A frame that kept it would make deep trees cost the square of
// their depth.
func (w *walker) at(f *frame) string { return string(w.path[:f.end]) }

// below is the path of a name in such a directory.
func (w *walker) below(f *frame, name string) string {
	return string(w.path[:f.end]) + "/" + name
}

func (w *walker) top() *frame { return w.frames[len(w.frames)-1] }

// window is how many names are looked at together.
const window = 64

// item is the next name of the directory, nil at its end. A name that is gone when it is looked at was never there.
func (w *walker) item(f *frame) (*item, error) {
	for {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		if len(f.found) == 0 {
			end, err := w.look(f)
			if end || err != nil {
				return nil, err
			}
			continue
		}
		it := f.found[0]
		f.found = f.found[1:]
		f.next++
		f.after = it.name
		if it.Mode == 0 {
			continue
		}
		return &it, w.bound(f, it.name)
	}
}

// bound refuses a path that is too long.
func (w *walker) bound(f *frame, name string) error {
	switch {
	case f.end+1+len(name) > w.limits.Path:
		return fail("stat", w.below(f, name), &LimitError{"bytes in a path", int64(w.limits.Path)})
	case len(w.frames) > w.limits.Depth:
		return fail("stat", w.below(f, name), &LimitError{"components in a path", int64(w.limits.Depth)})
	}
	return nil
}

// look finds out about the next names.
func (w *walker) look(f *frame) (end bool, err error) {
	if f.next == len(f.names) {
		if !f.more {
			return true, nil
		}
		if err := w.list(f); err != nil {
			return false, fail("readdir", w.at(f), err)
		}
		return false, nil
	}
	names := f.names[f.next:min(f.next+window, len(f.names))]
	f.found = make([]item, len(names))
	tops := map[int][]int{}
	for i, n := range names {
		f.found[i].listed = n
		tops[n.top] = append(tops[n.top], i)
	}
	for top, which := range tops {
		if err := w.lookIn(f, top, which); err != nil {
			return false, err
		}
	}
	return false, nil
}

// lookIn looks at the names that one directory has on top.
func (w *walker) lookIn(f *frame, top int, which []int) error {
	d, err := w.pool.get(f.stack[top])
	if err != nil {
		return fail("open", w.at(f), err)
	}
	names := make([]string, len(which))
	for i, at := range which {
		names[i] = f.found[at].name
	}
	for i, l := range d.Looks(names) {
		it := &f.found[which[i]]
		switch {
		case l.Err == nil:
			it.Looked = l
		case !errors.Is(l.Err, fs.ErrNotExist):
			return fail("stat", w.below(f, it.name), l.Err)
		}
	}
	return nil
}

// list reads the next names, and gives up those of directories far above if it is too much together.
func (w *walker) list(f *frame) error {
	w.held -= f.cost
	f.names, f.next = nil, 0
	l := listing{after: f.after, budget: w.limits.Names / 2}
	for i, n := range f.stack {
		d, err := w.pool.get(n)
		if err == nil {
			err = l.add(d, i)
		}
		if err != nil {
			return err
		}
	}
	l.cut()
	l.sort()
	f.names, f.more, f.cost = l.names, l.more, l.used
	w.held += f.cost
	for w.held > w.limits.Names && w.oldest < len(w.frames)-1 {
		old := w.frames[w.oldest]
		w.held -= old.cost
		old.forget()
		w.oldest++
	}
	return nil
}

// dir opens the directory that an item of f is, and reads its attributes. It is nil if there is none any more.
func (w *walker) dir(parent *node, path, name string, look *sys.Look, want func(string) bool) (*node, []Xattr, marks, error) {
	n := &node{parent: parent, name: name, look: *look}
	d, err := w.pool.get(n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, marks{}, nil
	}
	if err == syscall.ENOTDIR || err == syscall.ELOOP {
		err = ErrChanged
	}
	if err != nil {
		return nil, nil, marks{}, fail("open", path, err)
	}
	list, err := d.Xattrs(func(attr string) bool { return isMark(attr, w.prefix) || want != nil && want(attr) })
	if err != nil {
		return nil, nil, marks{}, fail("getxattr", path, err)
	}
	m := readMarks(list, w.prefix)
	if m.redirect {
		return nil, nil, m, fail("open", path, ErrRedirect)
	}
	return n, list, m, nil
}

// merged finds the directories that overlayfs merges under one name, in parents, top first. It is nil if that name is no
// directory in the topmost layer that has it.
func (w *walker) merged(parents []*node, path, name string) ([]*node, error) {
	var found []*node
	for _, p := range parents {
		look, err := w.lookOne(p, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fail("stat", path, err)
		}
		if look.Type() != sys.S_IFDIR { // a whiteout, or a file: what is below is hidden
			break
		}
		n, _, m, err := w.dir(p, path, name, &look.Look, nil)
		if err != nil {
			return nil, err
		}
		if n != nil {
			found = append(found, n)
		}
		if m.opaque {
			break
		}
	}
	return found, nil
}

func (w *walker) lookOne(n *node, name string) (Looked, error) {
	d, err := w.pool.get(n)
	if err != nil {
		return Looked{}, err
	}
	l := d.Looks([]string{name})[0]
	return l, l.Err
}

// tops opens the top directories of a tree, top first.
func (w *walker) tops() (upper *node, lower []*node, err error) {
	if w.t.Upper != nil {
		if upper, err = w.pool.top(w.t.Upper); err != nil {
			return nil, nil, fail("open", "", err)
		}
	}
	for i := len(w.t.Lower) - 1; i >= 0; i-- {
		n, err := w.pool.top(w.t.Lower[i])
		if err != nil {
			return nil, nil, fail("open", "", err)
		}
		lower = append(lower, n)
	}
	return upper, lower, nil
}
