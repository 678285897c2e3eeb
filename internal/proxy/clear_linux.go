package proxy

import (
	"errors"
	"io/fs"
	"strconv"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// removal is one entry on its way out.
type removal struct {
	d              *directory
	e              entry
	tries          int
	newName        string // where it moves if it is a directory that is not empty
	removed, moved tape.Arg
}

// clear removes the entries that were listed. Directories that are not empty move up to top.
func (r *remover) clear(batch []*directory) error {
	var list []*removal
	for _, d := range batch {
		for _, e := range d.known {
			list = append(list, &removal{d: d, e: e})
		}
	}
	for len(list) > 0 {
		n := min(len(list), r.maxRemovals())
		again, err := r.removeSome(list[:n])
		if err != nil {
			return err
		}
		list = append(list[n:], again...)
	}
	return nil
}

// removeSome removes entries in one round trip, and returns those that must be tried again.
func (r *remover) removeSome(list []*removal) (again []*removal, err error) {
	err = r.p.Run(func(t *tape.Tape) {
		for _, x := range list {
			r.addRemoval(t, x)
		}
	}, func(res *Results) {
		for _, x := range list {
			if !r.judge(x, errnoOf(res.Result(x.removed)), errnoOf(res.Result(x.moved))) {
				again = append(again, x)
			}
		}
	})
	for _, x := range again {
		if err == nil && x.e.dir {
			// Only who may write to a directory may move it; rename(2), EACCES.
			err = r.chmod(tape.Int(x.d.fd), x.e.name)
		}
	}
	return again, err
}

// addRemoval adds the operations for one entry.
func (r *remover) addRemoval(t *tape.Tape, x *removal) {
	x.removed, x.moved = t.Slot("removed"), t.Slot("moved")
	fd := tape.Int(x.d.fd)
	if !x.e.dir {
		t.Unlinkat(fd, x.e.name, 0).To(x.removed).Ignore()
		return
	}
	if x.d == r.top {
		t.Unlinkat(fd, x.e.name, sys.AT_REMOVEDIR).To(x.removed).Ignore()
		return
	}
	if x.newName == "" {
		r.moved++
		x.newName = r.prefix + strconv.Itoa(r.moved)
	}
	move, next := t.Label("move"), t.Label("next")
	t.Unlinkat(fd, x.e.name, sys.AT_REMOVEDIR).To(x.removed).Then(next).Else(move)
	t.Mark(move)
	t.Renameat2(fd, x.e.name, tape.Int(r.top.fd), x.newName, 0).To(x.moved).Ignore()
	t.Mark(next)
}

// judge takes note of what became of an entry. It is false if the entry must be tried again. An entry
// that is neither removed nor a directory to empty later keeps its directory from being removed.
func (r *remover) judge(x *removal, removed, moved syscall.Errno) bool {
	full := x.e.dir && errors.Is(removed, fs.ErrExist) // ENOTEMPTY too
	lies := x.newName
	if x.d == r.top {
		lies = x.e.name
	}
	where := below(x.d.path, x.e.name)
	x.tries++
	switch {
	case removed == 0 || removed == syscall.ENOENT:
		return true
	case full && moved == 0:
		r.join(&directory{parent: tape.Int(r.top.fd), name: lies, path: where}, removed)
		return true
	case x.tries > maxTries:
	case removed == syscall.EISDIR && !x.e.dir, removed == syscall.ENOTDIR && x.e.dir:
		// The filesystem does not tell types, or somebody has replaced it.
		x.e.dir = !x.e.dir
		return false
	case full && moved == syscall.EACCES:
		return false
	}
	if full {
		r.note("renameat2", where, moved)
	} else {
		r.note("unlinkat", where, removed)
	}
	x.d.failed = true
	return true
}
