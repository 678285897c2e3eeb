package store

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A model of a file system that promises no more than POSIX does: a name is on the disk when its directory was synced
// after it came there, and content when the file was; a rename happens or does not. What was not synced may be there or
// not, in any combination, and content may be there in part.

type inode struct {
	dir    bool
	kids   map[string]*inode // as programs see it
	stable map[string]*inode // as it is on the disk
	data   []byte
	synced []byte // nil: never
	dirty  bool
}

func newDirNode() *inode {
	return &inode{dir: true, kids: map[string]*inode{}, stable: map[string]*inode{}}
}

// edit is one change of a directory; those of a change belong together.
type edit struct {
	dir  *inode
	name string
	node *inode // nil: removed
}

type change []edit

type modelFS struct {
	t       testing.TB
	root    *inode
	pending []change
}

func newModelFS(t testing.TB) *modelFS { return &modelFS{t: t, root: newDirNode()} }

func (m *modelFS) at(name string) *inode {
	n := m.root
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || n == nil {
			continue
		}
		n = n.kids[part]
	}
	return n
}

func (m *modelFS) change(edits ...edit) {
	for _, e := range edits {
		if e.node == nil {
			delete(e.dir.kids, e.name)
		} else {
			e.dir.kids[e.name] = e.node
		}
	}
	m.pending = append(m.pending, edits)
}

func (m *modelFS) parent(name string) *inode { return m.at(path.Dir(name)) }

func (m *modelFS) add(name string, n *inode) {
	m.change(edit{m.parent(name), path.Base(name), n})
}

func (m *modelFS) remove(name string) {
	if m.at(name) != nil {
		m.change(edit{m.parent(name), path.Base(name), nil})
	}
}

func (m *modelFS) rename(from, to string) {
	m.change(edit{m.parent(from), path.Base(from), nil}, edit{m.parent(to), path.Base(to), m.at(from)})
}

func (m *modelFS) syncDir(name string) {
	d := m.at(name)
	m.pending = slices.DeleteFunc(m.pending, func(c change) bool {
		touches := slices.ContainsFunc(c, func(e edit) bool { return e.dir == d })
		if touches {
			c.apply(func(n *inode) map[string]*inode { return n.stable })
		}
		return touches
	})
}

func (c change) apply(names func(*inode) map[string]*inode) {
	for _, e := range c {
		if e.node == nil {
			delete(names(e.dir), e.name)
		} else {
			names(e.dir)[e.name] = e.node
		}
	}
}

func (m *modelFS) syncAll() {
	for _, c := range m.pending {
		c.apply(func(n *inode) map[string]*inode { return n.stable })
	}
	m.pending = nil
	var walk func(n *inode)
	walk = func(n *inode) {
		n.synced, n.dirty = bytes.Clone(n.data), false
		for _, k := range n.kids {
			walk(k)
		}
	}
	walk(m.root)
}

// crash writes what the disk may hold after a crash: of the pending changes those that are chosen.
func (m *modelFS) crash(dir string, chosen func(i int) bool, r *rand.Rand) {
	over := map[*inode]map[string]*inode{}
	names := func(n *inode) map[string]*inode {
		if over[n] == nil {
			over[n] = maps.Clone(n.stable)
		}
		return over[n]
	}
	for i, c := range m.pending {
		if chosen(i) {
			c.apply(names)
		}
	}
	var write func(n *inode, at string)
	write = func(n *inode, at string) {
		if !n.dir {
			m.must(os.WriteFile(at, n.content(r), 0o600))
			return
		}
		m.must(os.MkdirAll(at, 0o700))
		for name, k := range names(n) {
			write(k, filepath.Join(at, name))
		}
	}
	write(m.root, dir)
}

func (m *modelFS) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// content is what a file may hold.
func (n *inode) content(r *rand.Rand) []byte {
	if !n.dirty {
		return n.data
	}
	switch r.IntN(5) {
	case 0:
		return n.synced
	case 1:
		return n.data[:len(n.data)/2]
	case 2:
		return make([]byte, len(n.data)) // the length without the content, as XFS once had it
	case 3:
		return nil
	}
	return n.data
}

// recorder does what it is told, and writes it down in a model too. After each step it lets the test look at the model.
type recorder struct {
	disk
	mu   *sync.Mutex
	m    *modelFS
	real string
	step func(what string)
}

type recordedFile struct {
	output
	r *recorder
	n *inode
}

func (r *recorder) record(err error, what string, f func()) error {
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		f()
		r.step(what)
	}
	return err
}

func (r *recorder) Create(name string) (output, error) {
	f, err := r.disk.Create(name)
	n := &inode{dirty: true}
	return &recordedFile{f, r, n}, r.record(err, "create "+name, func() { r.m.add(name, n) })
}

func (r *recorder) Rewrite(name string) (output, error) {
	f, err := r.disk.Rewrite(name)
	return &recordedFile{f, r, r.m.at(name)}, err
}

func (f *recordedFile) Write(p []byte) (int, error) {
	n, err := f.output.Write(p)
	return n, f.r.record(err, "write", func() { f.n.data, f.n.dirty = append(f.n.data, p...), true })
}

func (f *recordedFile) Truncate(size int64) error {
	return f.r.record(f.output.Truncate(size), "truncate", func() { f.n.data, f.n.dirty = f.n.data[:size], true })
}

func (f *recordedFile) Sync() error {
	return f.r.record(nil, "sync", func() { f.n.synced, f.n.dirty = bytes.Clone(f.n.data), false })
}

func (r *recorder) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	_, lerr := r.disk.Lstat(name)
	f, err := r.disk.OpenFile(name, flag, perm)
	if lerr == nil {
		return f, err
	}
	return f, r.record(err, "lock "+name, func() { r.m.add(name, &inode{}) })
}

func (r *recorder) Mkdir(name string, perm fs.FileMode) error {
	return r.record(r.disk.Mkdir(name, perm), "mkdir "+name, func() { r.m.add(name, newDirNode()) })
}

func (r *recorder) MkdirAll(name string, perm fs.FileMode) error {
	if up := path.Dir(name); up != "." {
		if err := r.MkdirAll(up, perm); err != nil {
			return err
		}
	}
	err := r.Mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (r *recorder) Rename(from, to string) error {
	r.absorb(from)
	return r.record(r.disk.Rename(from, to), "rename "+from+" "+to, func() { r.m.rename(from, to) })
}

func (r *recorder) Remove(name string) error {
	return r.record(r.disk.Remove(name), "remove "+name, func() { r.m.remove(name) })
}

func (r *recorder) RemoveTree(name string) error {
	return r.record(r.disk.RemoveTree(name), "removetree "+name, func() { r.m.remove(name) })
}

func (r *recorder) SyncDir(name string) error {
	return r.record(nil, "syncdir "+name, func() { r.m.syncDir(name) })
}

func (r *recorder) SyncAll(name string) error {
	r.absorb(name)
	return r.record(nil, "syncall "+name, r.m.syncAll)
}

// absorb takes into the model what was made below a directory without this disk, as layers are.
func (r *recorder) absorb(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := filepath.WalkDir(filepath.Join(r.real, name), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		rel, _ := filepath.Rel(r.real, p)
		if r.m.at(rel) != nil {
			return nil
		}
		n := newDirNode()
		if !d.IsDir() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			n = &inode{data: b, dirty: true}
		}
		r.m.add(rel, n)
		return nil
	})
	r.m.must(err)
}
