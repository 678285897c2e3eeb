package changes

import (
	"io"
	"slices"
	"strings"
)

// listed is a name of a merged directory.
type listed struct {
	name string
	top  int // index of the topmost directory that has it
}

// perName is the memory that a name costs beside its bytes.
const perName = 32

func cost(names []listed) int {
	n := 0
	for _, l := range names {
		n += len(l.name) + perName
	}
	return n
}

// listing collects the first names behind one, in order, in memory for budget bytes. A directory with more is read again
// for the next ones: slow, and bounded.
type listing struct {
	after  string
	budget int
	names  []listed
	used   int
	last   string // the last name to keep, if some were left out
	more   bool
}

// add takes in all names of one directory. The topmost directory comes first.
func (l *listing) add(d Dir, top int) error {
	if err := d.Rewind(); err != nil {
		return err
	}
	for {
		names, err := d.Names(1024)
		for _, n := range names {
			if n > l.after && (!l.more || n <= l.last) {
				l.names = append(l.names, listed{n, top})
				l.used += len(n) + perName
			}
		}
		if l.used > 2*l.budget {
			l.cut()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// cut leaves out what is over the budget.
func (l *listing) cut() {
	l.sort()
	kept, used := len(l.names), 0
	for i, n := range l.names {
		used += len(n.name) + perName
		if used > l.budget && i > 0 {
			kept = i
			break
		}
	}
	if kept < len(l.names) {
		l.more = true
		l.last = l.names[kept-1].name
		l.names = slices.Clip(slices.Clone(l.names[:kept]))
	}
	l.used = cost(l.names)
}

// sort orders the names and keeps the topmost of each.
func (l *listing) sort() {
	slices.SortStableFunc(l.names, func(a, b listed) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return a.top - b.top
	})
	l.names = slices.CompactFunc(l.names, func(a, b listed) bool { return a.name == b.name })
}
