package changes

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
)

// List yields what is different in the upper directory of a tree from the layers below it, as docker diff does: in order,
// the names of a directory sorted as bytes and a directory before what is in it. A directory counts as modified when
// something in it has changed, a file when its type, owner, mode, size, time or an extended attribute is another. What is
// in a directory that was removed, or replaced by a file, is not listed.
//
// Content is not compared: who writes to a file and puts back its time, to the nanosecond, is not seen here. WriteLayer
// has every file of the upper directory, changed or not.
//
// The container may run meanwhile: what disappears is as if it had never been there.
//
// Errors, which end it: *Error around ErrRedirect, a *LimitError, the errno; ctx.Err().
func List(ctx context.Context, t Tree) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		l := &lister{walker: newWalker(ctx, &t, t.Limits.withDefaults()), made: t.made(), yield: yield}
		defer l.close()
		if err := l.run(); err != nil && err != errStopped {
			yield(Change{}, err)
		}
	}
}

// errStopped says that the caller wants no more.
var errStopped = errors.New("stopped")

type lister struct {
	*walker
	made  map[string]bool
	yield func(Change, error) bool
}

func (l *lister) run() error {
	upper, lower, err := l.tops()
	if err != nil || upper == nil {
		return err
	}
	l.push(&frame{stack: []*node{upper}, lower: lower})
	for len(l.frames) > 0 {
		f := l.top()
		it, err := l.item(f)
		switch {
		case err != nil && len(l.frames) > 1 && vanished(err), err == nil && it == nil:
			l.pop()
		case err != nil:
			return err
		default:
			if err := l.visit(f, it); err != nil {
				return err
			}
		}
	}
	return nil
}

// vanished tells the errors of a directory that is not what it was a moment ago.
func vanished(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrChanged) }

// report yields a change, and before it the directories above that were not yielded yet.
func (l *lister) report(path string, k Kind) error {
	// A directory is entered either reported or not yet, and reporting reports all: those not yet reported come last.
	first := len(l.frames)
	for first > 0 && l.frames[first-1].note.change != nil {
		first--
	}
	for _, f := range l.frames[first:] {
		k := *f.note.change
		f.note.change = nil
		if !l.yield(Change{l.at(f), k}, nil) {
			return errStopped
		}
	}
	if !l.yield(Change{path, k}, nil) {
		return errStopped
	}
	return nil
}

// visit compares one name.
func (l *lister) visit(f *frame, it *item) error {
	path := l.below(f, it.name)
	old, at, err := l.oldLook(f, it.name)
	if err != nil {
		return fail("stat", path, err)
	}
	switch {
	case it.top > 0: // of an opaque directory, and not in the upper one: hidden
		if old != nil {
			return l.report(path, Deleted)
		}
		return nil
	case it.IsWhiteout():
		if old != nil {
			return l.report(path, Deleted)
		}
		return nil
	case it.Type() == sys.S_IFDIR:
		return l.visitDir(f, it, path, old)
	case l.made[path] && it.Type() == sys.S_IFREG && it.Size == 0:
		return nil
	case old == nil:
		return l.report(path, Added)
	}
	differs, err := l.differs(f, it, old, at)
	if err != nil {
		return fail("stat", path, err)
	}
	if differs {
		return l.report(path, Modified)
	}
	return nil
}

// oldLook is what the layers below have under a name, nil for nothing, and where.
func (l *lister) oldLook(f *frame, name string) (*Looked, *node, error) {
	for _, n := range f.lower {
		look, err := l.lookOne(n, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if look.IsWhiteout() {
			return nil, nil, nil
		}
		return &look, n, nil
	}
	return nil, nil, nil
}

// visitDir compares a directory and goes into it.
func (l *lister) visitDir(f *frame, it *item, path string, old *Looked) error {
	n, _, m, err := l.dir(f.stack[0], path, it.name, &it.Look, nil)
	if vanished(err) || err == nil && n == nil {
		return nil
	}
	if err != nil {
		return err
	}
	child := &frame{name: it.name, stack: []*node{n}, alone: f.alone || m.opaque}
	switch {
	case old == nil && l.made[path]:
		child.note.change = new(Added)
	case old == nil:
		err = l.report(path, Added)
	case old.Type() != sys.S_IFDIR || l.dirDiffers(it, old):
		err = l.report(path, Modified)
	default:
		child.note.change = new(Modified)
	}
	if err != nil {
		return err
	}
	if old != nil && old.Type() == sys.S_IFDIR {
		if child.lower, err = l.merged(f.lower, path, it.name); err != nil {
			return err
		}
	}
	if child.alone { // what is below is not merged, but it was there
		child.stack = append(child.stack, child.lower...)
	}
	l.push(child)
	return nil
}

// dirDiffers leaves out the time, which changes with what is in the directory, and for nothing else.
func (l *lister) dirDiffers(it *item, old *Looked) bool {
	return it.Mode != old.Mode || !l.sameOwner(it, old)
}

// sameOwner compares owners as the container sees them, if they have a place there.
func (l *lister) sameOwner(it *item, old *Looked) bool {
	u1, g1, err1 := l.t.owner(&it.Looked)
	u2, g2, err2 := l.t.owner(old)
	if err1 != nil || err2 != nil {
		return it.UID == old.UID && it.GID == old.GID
	}
	return u1 == u2 && g1 == g2
}

// differs compares two files.
func (l *lister) differs(f *frame, it *item, old *Looked, at *node) (bool, error) {
	switch {
	case it.Mode != old.Mode || it.Size != old.Size || it.Mtime != old.Mtime || !l.sameOwner(it, old):
		return true, nil
	case it.Major != old.Major || it.Minor != old.Minor:
		return true, nil
	case it.Type() != sys.S_IFREG:
		return false, nil
	}
	now, err := l.xattrs(f.stack[0], it.name)
	if err != nil {
		return false, err
	}
	was, err := l.xattrs(at, it.name)
	return !slices.EqualFunc(now, was, func(a, b Xattr) bool {
		return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
	}), err
}

// xattrs are those of a file that the container sees.
func (l *lister) xattrs(n *node, name string) ([]Xattr, error) {
	d, err := l.pool.get(n)
	if err != nil {
		return nil, err
	}
	f := d.Files([]string{name}, keepXattr)[0]
	if f.Err != nil {
		if vanished(f.Err) {
			return nil, nil
		}
		return nil, f.Err
	}
	_ = f.Close()
	slices.SortFunc(f.Xattrs, func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	return f.Xattrs, nil
}
