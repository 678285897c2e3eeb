package imagefs

import (
	"cmp"
	"slices"

	"github.com/caisson-go/caisson/internal/inflate"
)

// marks are the places of a layer that reading can begin at, from its beginning to its end. Zstandard has none, as its
// window may be a thousand times as large.
type marks struct {
	list     []inflate.Mark
	most     int
	distance int64
}

// add takes one more. When there are too many, every other one goes, and from then on they are twice as far apart.
func (m *marks) add(mark inflate.Mark) (distance int64) {
	m.list = append(m.list, mark)
	if len(m.list) >= m.most {
		kept := m.list[:0]
		for i, mark := range m.list {
			if i%2 == 1 {
				kept = append(kept, mark)
			}
		}
		clear(m.list[len(kept):])
		m.list = kept
		m.distance *= 2
	}
	return m.distance
}

// before finds the nearest mark that is not behind the position.
func (m *marks) before(pos int64) (inflate.Mark, bool) {
	i, found := slices.BinarySearchFunc(m.list, pos, func(mark inflate.Mark, pos int64) int { return cmp.Compare(mark.Out, pos) })
	if found {
		i++
	}
	if i == 0 {
		return inflate.Mark{}, false
	}
	return m.list[i-1], true
}
