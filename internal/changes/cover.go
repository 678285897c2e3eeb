package changes

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
)

// maxImplied bounds the memory for the names of directories without an entry, of all layers of a tree, in bytes.
const maxImplied = 64 << 20

// WriteCover writes a layer for on top of the lower layers of a tree, of nothing but directories. It is for those that a
// layer had no entry for, but only a name in them: unpacked for itself that layer has made them look as nobody said, and
// hides how they look in the layers below. The cover has them with the look that the topmost entry gives them, or, if
// there is none at all, with that in the lowest layer; and the directories above them as they are. So every directory is
// as if each layer had been unpacked over those below it. Result.Entries is 0 if there is no need for a cover.
//
// implied has, for each of t.Lower, the paths of those directories, relative, as layer.Stats.ImpliedPaths, and "" if it has
// no entry for its root. That alone asks for no cover: a container's root is its upper directory. The upper directory of
// the tree is not looked at.
//
// Errors: *Error around ErrChanged, ErrRedirect, a *LimitError, the error of Tree.Owner or of w, the errno; ctx.Err().
func WriteCover(ctx context.Context, w io.Writer, t Tree, implied [][]string) (Result, error) {
	t.Upper = nil
	c := &cover{archive: newArchive(ctx, w, &t, t.Limits.forLayer())}
	defer c.archive.close()
	err := c.run(implied)
	if err == nil {
		err = c.finish()
	}
	return c.result, err
}

// cover goes through the directories in question in order, one before what is in it.
type cover struct {
	*archive
	merges []*merge // from the root down to where it is
}

// merge is a directory of the overlay.
type merge struct {
	name  string
	stack []*part // of it in the layers, top first
	from  *part   // whose look it should have
	done  bool    // it is written
}

// part is what one layer has of a directory.
type part struct {
	*node
	layer   int // index in Tree.Lower
	look    Looked
	xattrs  []Xattr
	implied bool
}

// unlisted is a directory without an entry in a layer.
type unlisted struct {
	path  string
	layer int
}

func (c *cover) run(implied [][]string) error {
	all, err := inOrder(implied)
	if err != nil {
		return err
	}
	_, tops, err := c.tops()
	if err != nil {
		return err
	}
	rootless := 0
	for rootless < len(all) && all[rootless].path == "" {
		rootless++
	}
	if err := c.root(tops, all[:rootless]); err != nil {
		return err
	}
	for all = all[rootless:]; len(all) > 0; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n := 1
		for n < len(all) && all[n].path == all[0].path {
			n++
		}
		if err := c.visit(all[0].path, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// root begins with the root directory, which overlayfs merges from all layers.
func (c *cover) root(tops []*node, in []unlisted) error {
	m := &merge{}
	for i, n := range tops {
		p := &part{node: n, layer: len(tops) - 1 - i}
		d, err := c.pool.get(n)
		if err == nil {
			p.xattrs, err = d.Xattrs(keepXattr)
		}
		if err == nil {
			p.look = d.Looks([]string{"."})[0]
			err = p.look.Err
		}
		if err != nil {
			return fail("stat", "", err)
		}
		m.add(p, in)
	}
	c.merges = []*merge{m}
	return nil
}

// add adds the next lower part. in are the layers that have no entry for the directory.
func (m *merge) add(p *part, in []unlisted) {
	p.implied = slices.ContainsFunc(in, func(u unlisted) bool { return u.layer == p.layer })
	if m.from == nil || m.from.implied {
		m.from = p
	}
	m.stack = append(m.stack, p)
}

// inOrder puts the directories of all layers in the order of a walk.
func inOrder(implied [][]string) (all []unlisted, err error) {
	size := 0
	for layer, paths := range implied {
		if layer == 0 {
			continue // below it nothing has a look for them
		}
		for _, p := range paths {
			if size += len(p) + 64; size > maxImplied {
				return nil, fail("stat", "/"+p, &LimitError{"bytes of names of directories without an entry", maxImplied})
			}
			all = append(all, unlisted{p, layer})
		}
	}
	slices.SortFunc(all, func(a, b unlisted) int { return comparePaths(a.path, b.path) })
	return all, nil
}

// comparePaths puts a directory and all that is in it before what follows it.
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, "/")
		y, b, _ = strings.Cut(b, "/")
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// visit writes a directory if it shows another look than it should.
func (c *cover) visit(path string, in []unlisted) error {
	names := strings.Split(path, "/")
	if len(path) > c.limits.Path || len(names) > c.limits.Depth {
		return nil // reached through links only: no entry could name it, so that no layer has a look for it
	}
	same := 0
	for same+1 < len(c.merges) && same < len(names) && c.merges[same+1].name == names[same] {
		same++
	}
	c.leave(same + 1)
	for i := same; i < len(names); i++ {
		at := c.merges[len(c.merges)-1]
		if len(at.stack) < 2 {
			return nil // what is in a directory of one layer shows as that layer has it
		}
		var of []unlisted
		if i == len(names)-1 {
			of = in
		}
		if err := c.enter(at, names[:i+1], of); err != nil {
			return err
		}
	}
	if at := c.merges[len(c.merges)-1]; len(at.stack) > 1 && at.from != at.stack[0] {
		return c.writeAll(names)
	}
	return nil
}

// leave goes up, so that n directories are left.
func (c *cover) leave(n int) {
	for _, m := range c.merges[n:] {
		for _, p := range m.stack {
			c.pool.drop(p.node)
		}
	}
	clear(c.merges[n:])
	c.merges = c.merges[:n]
}

// enter goes down to a name. in are the layers that have no entry for it.
func (c *cover) enter(parent *merge, names []string, in []unlisted) error {
	m := &merge{name: names[len(names)-1]}
	path := "/" + strings.Join(names, "/")
	for _, above := range parent.stack {
		p, last, err := c.part(above, path, m.name)
		if err != nil {
			return err
		}
		if p != nil {
			m.add(p, in)
		}
		if last {
			break
		}
	}
	c.merges = append(c.merges, m)
	return nil
}

// part is the directory in one layer, nil if there is none. It is the last if it hides those below, or something else does.
func (c *cover) part(above *part, path, name string) (*part, bool, error) {
	look, err := c.lookOne(above.node, name)
	if vanished(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fail("stat", path, err)
	}
	if look.Type() != sys.S_IFDIR {
		return nil, true, nil
	}
	n, xattrs, m, err := c.dir(above.node, path, name, &look.Look, keepXattr)
	if err != nil || n == nil {
		return nil, false, err
	}
	return &part{node: n, layer: above.layer, look: look, xattrs: xattrs}, m.opaque, nil
}

// writeAll writes the directory that it is at, and those above that were not written yet.
func (c *cover) writeAll(names []string) error {
	for i, m := range c.merges {
		if m.done {
			continue
		}
		path := "" // of the root
		if i > 0 {
			path = "/" + strings.Join(names[:i], "/")
		}
		h, err := c.header(path, &m.from.look, m.from.xattrs)
		if err == nil {
			err = c.entry(&h.Header)
		}
		if err != nil {
			return err
		}
		m.done = true
	}
	return nil
}
