package imagefs

import (
	"archive/tar"
	"cmp"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// node is one file of an image. Hard links are several names of one node.
type node struct {
	dir   *directory // of a directory
	extra *extra     // nil for most
	owner *owner
	sec   int64
	size  int64
	at    int64 // in the tar stream: of the content; of the header if sparse
	nsec  int32
	mode  fs.FileMode
	layer int32
	state state
}

// state is what the index knows of a node beside what a file system shows.
type state uint8

const (
	isWhiteout state = 1 << iota // hides the name in the layers below; only while the index is made
	isOpaque                     // a directory that hides what the layers below have in it
	isImplied                    // a directory that its layer has no entry for
	hasHoles                     // the content has holes, which only package tar can put back
)

// directory holds the names in a directory: in byName while the index is made, sorted in list afterwards.
type directory struct {
	byName map[string]*node
	list   []child
}

type child struct {
	name string
	node *node
}

// owner is shared by all nodes that have the same.
type owner struct {
	uid, gid     int
	uname, gname string
}

// extra is what few files have.
type extra struct {
	target       string // of a symbolic link
	major, minor int64  // of a device
	xattrs       map[string]string
}

func newDirectory() *node {
	return &node{dir: &directory{byName: map[string]*node{}}, mode: fs.ModeDir | 0o755, owner: &owner{}, state: isImplied}
}

func (n *node) is(s state) bool { return n.state&s != 0 }
func (n *node) isDir() bool     { return n.dir != nil }
func (n *node) isSymlink() bool { return n.mode&fs.ModeSymlink != 0 }

func (n *node) modTime() time.Time { return time.Unix(n.sec, int64(n.nsec)) }

func (n *node) target() string {
	if n.extra == nil {
		return ""
	}
	return n.extra.target
}

// lookLike gives a directory the look of another, and keeps its names.
func (n *node) lookLike(o *node) {
	n.extra, n.owner, n.sec, n.nsec, n.mode, n.layer = o.extra, o.owner, o.sec, o.nsec, o.mode, o.layer
}

// freeze replaces the maps of a tree by sorted lists, which take half the memory and need no lock to read.
func (n *node) freeze() {
	d := n.dir
	d.list = make([]child, 0, len(d.byName))
	for name, c := range d.byName {
		d.list = append(d.list, child{name, c})
		if c.isDir() {
			c.freeze()
		}
	}
	d.byName = nil
	slices.SortFunc(d.list, func(a, b child) int { return strings.Compare(a.name, b.name) })
}

// lookup finds a name in a directory of a finished index.
func (n *node) lookup(name string) *node {
	list := n.dir.list
	i, ok := slices.BinarySearchFunc(list, name, func(c child, name string) int { return cmp.Compare(c.name, name) })
	if !ok {
		return nil
	}
	return list[i].node
}

// header makes the tar header of a file under that name. A file with several names is a regular file under each.
func (n *node) header(name string) *tar.Header {
	h := &tar.Header{
		Name: name, Typeflag: typeFlag(n.mode), Size: n.size, Mode: tarMode(n.mode), ModTime: n.modTime(),
		Uid: n.owner.uid, Gid: n.owner.gid, Uname: n.owner.uname, Gname: n.owner.gname,
	}
	if e := n.extra; e != nil {
		h.Linkname, h.Devmajor, h.Devminor, h.PAXRecords = e.target, e.major, e.minor, maps.Clone(e.xattrs)
	}
	if n.isDir() {
		h.Name += "/"
	}
	return h
}
