package changes

import (
	"container/list"
	"os"
	"slices"

	"github.com/caisson-go/caisson/internal/sys"
)

// maxOpen is how many directories a pool keeps open, beside the top ones.
const maxOpen = 128

// node is a directory of a layer that can be opened as often as needed: it may be closed meanwhile, and then is looked
// for under the same name again.
type node struct {
	parent *node // nil: a top directory, which stays open
	name   string
	look   sys.Look // for its identity
	dir    Dir      // nil: not open
	at     *list.Element
}

// pool bounds the number of open directories, so that a tree may be deeper than a process may have files.
type pool struct {
	opener Opener
	open   *list.List // of *node, the one used last in front
	tops   []*node
}

func newPool(o Opener) *pool { return &pool{opener: o, open: list.New()} }

// top adds a top directory.
func (p *pool) top(f *os.File) (*node, error) {
	d, err := p.opener.Root(f)
	if err != nil {
		return nil, err
	}
	n := &node{dir: d}
	p.tops = append(p.tops, n)
	n.look, err = d.Look()
	return n, err
}

// get is the open directory of a node. It is open until the next call of get for another one.
func (p *pool) get(n *node) (Dir, error) {
	var closed []*node
	for x := n; x.dir == nil; x = x.parent {
		closed = append(closed, x)
	}
	for _, x := range slices.Backward(closed) {
		d, err := x.parent.dir.Dir(x.name)
		if err != nil {
			return nil, err
		}
		if look, err := d.Look(); err != nil || !look.Same(&x.look) {
			d.Close()
			if err == nil {
				err = ErrChanged
			}
			return nil, err
		}
		x.dir, x.at = d, p.open.PushFront(x)
		p.shrink()
	}
	if n.at != nil {
		p.open.MoveToFront(n.at)
	}
	return n.dir, nil
}

// shrink closes the directory that was not used for longest.
func (p *pool) shrink() {
	for p.open.Len() > maxOpen {
		p.drop(p.open.Back().Value.(*node))
	}
}

// drop closes a directory that is not needed at present.
func (p *pool) drop(n *node) {
	if n.at == nil {
		return
	}
	p.open.Remove(n.at)
	n.dir.Close()
	n.dir, n.at = nil, nil
}

// close closes all.
func (p *pool) close() {
	for p.open.Len() > 0 {
		p.drop(p.open.Back().Value.(*node))
	}
	for _, n := range p.tops {
		n.dir.Close()
	}
}
