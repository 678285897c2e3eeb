package imagefs

import (
	"io/fs"
	"path"
	"time"
)

// info describes a file under one of its names.
type info struct {
	dir, name string
	node      *node
}

func infoOf(name string, n *node) info {
	dir, base := path.Split(name)
	return info{dir, base, n}
}

// entries describes the files of a directory.
func entries(dir string, list []child) []fs.DirEntry {
	if dir == "." {
		dir = ""
	} else {
		dir += "/"
	}
	infos, out := make([]info, len(list)), make([]fs.DirEntry, len(list))
	for i, c := range list {
		infos[i] = info{dir, c.name, c.node}
		out[i] = &infos[i]
	}
	return out
}

// path is the name in the file system.
func (i info) path() string { return i.dir + i.name }

// Name is the last component.
func (i info) Name() string { return i.name }

// Size is the length of a file's content or of a link's target.
func (i info) Size() int64 {
	if i.node.isSymlink() {
		return int64(len(i.node.target()))
	}
	return i.node.size
}

// Mode is the kind and the permissions.
func (i info) Mode() fs.FileMode { return i.node.mode }

// Type is the kind.
func (i info) Type() fs.FileMode { return i.node.mode.Type() }

// ModTime is the time of the last change.
func (i info) ModTime() time.Time { return i.node.modTime() }

// IsDir reports a directory.
func (i info) IsDir() bool { return i.node.isDir() }

// Sys is a *tar.Header, made for the caller.
func (i info) Sys() any { return i.node.header(i.path()) }

// Info is the description itself.
func (i info) Info() (fs.FileInfo, error) { return i, nil }

// String is as other directory entries have it.
func (i info) String() string { return fs.FormatDirEntry(i) }
