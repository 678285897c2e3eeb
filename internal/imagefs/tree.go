package imagefs

import (
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/layer"
)

// tree is what one layer has, while its index is made. It applies entries as layer.Unpack does.
type tree struct {
	root   *node
	budget *budget

	steps int // through the tree, that looking directories up may still take

	at     *node // the directory that entries are being made in
	atPath string
	sec    int64 // the time of the current entry, for directories that it implies
	nsec   int32
}

func newTree(b *budget) *tree {
	root := newDirectory()
	return &tree{root: root, budget: b, steps: maxSteps, at: root}
}

// enter finds the directory path, through links of the layer inside its root, and makes what is missing.
func (t *tree) enter(path string) (*node, error) {
	if path == t.atPath {
		return t.at, nil
	}
	dir, err := t.walk(path, true)
	if err != nil {
		return nil, err
	}
	t.at, t.atPath = dir, path
	return dir, nil
}

// walk finds a directory of the layer. With imply it makes what is missing, also behind dangling links: the layers
// below may have it.
func (t *tree) walk(path string, imply bool) (*node, error) {
	stack, todo, hops := []*node{t.root}, components(path), 0
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		dir := stack[len(stack)-1]
		if t.steps--; t.steps < 0 {
			return nil, &layer.LimitError{What: "steps through directories and links", Max: maxSteps}
		}
		if name == ".." {
			stack = stack[:max(len(stack)-1, 1)]
			continue
		}
		next, err := t.step(dir, name, len(stack), imply)
		if err != nil {
			return nil, err
		}
		if !next.isSymlink() {
			stack = append(stack, next)
			continue
		}
		if hops++; hops > maxHops {
			return nil, syscall.ELOOP
		}
		if strings.HasPrefix(next.target(), "/") {
			stack = stack[:1]
		}
		todo = append(todo, components(next.target())...)
	}
	return stack[len(stack)-1], nil
}

// step goes from a directory to one of its directories or links.
func (t *tree) step(dir *node, name string, depth int, imply bool) (*node, error) {
	next := dir.dir.byName[name]
	switch {
	case next != nil && (next.isDir() || next.isSymlink()):
		return next, nil
	case next != nil && !next.is(isWhiteout):
		return nil, syscall.ENOTDIR
	case !imply:
		return nil, fs.ErrNotExist
	case depth >= maxDepth:
		return nil, &layer.LimitError{What: "directories within one another", Max: maxDepth}
	}
	if err := t.budget.take(len(name)); err != nil {
		return nil, err
	}
	made := newDirectory()
	made.sec, made.nsec = t.sec, t.nsec
	if next != nil { // removed and made again by this layer: nothing of the layers below may show in it
		made.state |= isOpaque
	}
	dir.dir.byName[strings.Clone(name)] = made
	return made, nil
}

// components splits a path, the first component last.
func components(path string) []string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	slices.Reverse(parts)
	return parts
}

// put makes a node in the layer, in place of what it had under that name before.
func (t *tree) put(n layer.EntryName, made *node) error {
	dir, err := t.enter(n.Dir)
	if err != nil {
		return err
	}
	old := dir.dir.byName[n.Base]
	if old != nil && old.isDir() {
		t.leave() // the current directory may be within it
	}
	dir.dir.byName[strings.Clone(n.Base)] = made
	return nil
}

// putDirectory makes a directory, or gives one that the layer made before its new look.
func (t *tree) putDirectory(n layer.EntryName, made *node) error {
	if n.Base == "" {
		t.root.lookLike(made)
		t.root.state &^= isImplied
		return nil
	}
	dir, err := t.enter(n.Dir)
	if err != nil {
		return err
	}
	switch old := dir.dir.byName[n.Base]; {
	case old != nil && old.isDir():
		old.lookLike(made)
		old.state &^= isImplied
		return nil
	case old != nil: // it hid the directory of the layers below
		made.state |= isOpaque
	}
	dir.dir.byName[strings.Clone(n.Base)] = made
	return nil
}

// whiteout hides a name of the layers below. It never hides what its own layer has: a file of this layer hides the one
// below anyway, and a directory of this layer becomes opaque.
func (t *tree) whiteout(n layer.EntryName) error {
	dir, err := t.enter(n.Dir)
	if err != nil {
		return err
	}
	switch old := dir.dir.byName[n.Base]; {
	case old == nil:
		dir.dir.byName[strings.Clone(n.Base)] = &node{state: isWhiteout}
	case old.isDir():
		old.state |= isOpaque
	}
	return nil
}

// opaque hides everything that the layers below have in a directory.
func (t *tree) opaque(n layer.EntryName) error {
	dir, err := t.enter(n.Dir)
	if err == nil {
		dir.state |= isOpaque
	}
	return err
}

// link gives a file of the layer another name.
func (t *tree) link(n, target layer.EntryName) error {
	from, err := t.walk(target.Dir, false)
	if err != nil {
		return err
	}
	file := from.dir.byName[target.Base]
	switch {
	case file == nil || file.is(isWhiteout):
		return fs.ErrNotExist
	case file.isDir():
		return syscall.EISDIR
	}
	return t.put(n, file)
}

// leave forgets the current directory.
func (t *tree) leave() { t.at, t.atPath = t.root, "" }
