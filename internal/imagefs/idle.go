package imagefs

import (
	"slices"
	"sync"
)

// maxIdle bounds the positions kept for an image. A gzip decoder takes about 300 KB, a zstd decoder up to its window.
const maxIdle = 8

// idle keeps positions in compressed layers that files have been read up to, the one used last at the end.
type idle struct {
	mu      sync.Mutex
	cursors []*cursor
}

// take gives the caller a cursor of the layer at the position: the nearest before it, one from a mark, or a new one.
func (i *idle) take(l *Layer, m *marks, pos int64) (*cursor, error) {
	mark, marked := m.before(pos)
	c := i.nearest(l, mark.Out, pos)
	switch {
	case c != nil:
	case marked:
		c = cursorAt(l, mark)
	default:
		var err error
		if c, err = newCursor(l); err != nil {
			return nil, err
		}
	}
	if err := c.skip(pos); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// nearest takes the last cursor of a layer that is neither before the one position nor behind the other.
func (i *idle) nearest(l *Layer, from, pos int64) *cursor {
	i.mu.Lock()
	defer i.mu.Unlock()
	best := -1
	for k, c := range i.cursors {
		if c.layer == l && c.pos >= from && c.pos <= pos && (best < 0 || c.pos > i.cursors[best].pos) {
			best = k
		}
	}
	if best < 0 {
		return nil
	}
	c := i.cursors[best]
	i.cursors = slices.Delete(i.cursors, best, best+1)
	return c
}

// give keeps a cursor for others, without its file.
func (i *idle) give(c *cursor) error {
	if c.failed {
		return c.Close()
	}
	if err := c.src.park(); err != nil {
		c.Close()
		return err
	}
	i.mu.Lock()
	i.cursors = append(i.cursors, c)
	var oldest *cursor
	if len(i.cursors) > maxIdle {
		oldest = i.cursors[0]
		i.cursors = slices.Delete(i.cursors, 0, 1)
	}
	i.mu.Unlock()
	if oldest == nil {
		return nil
	}
	return oldest.Close()
}
