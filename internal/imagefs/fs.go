package imagefs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
)

// FS is the file system of an image. It is for use by several goroutines, and has nothing to close: what is open
// belongs to the files that Open returned. It is an fs.ReadDirFS, fs.StatFS, fs.ReadFileFS and fs.ReadLinkFS.
//
// Names are as fs.ValidPath wants them, except that they need not be UTF-8: an image's names are bytes. Symbolic links
// are followed inside the image, which is "/" to absolute ones.
//
// Errors of its methods: *fs.PathError around fs.ErrNotExist, fs.ErrInvalid, syscall.ENOTDIR, syscall.EISDIR,
// syscall.ELOOP, *Error for a layer that can not be read, or the error of Layer.Open.
type FS struct {
	layers []Layer
	o      Options
	index  index
	idle   idle
}

// New is the file system of the layers, bottom to top. Nothing is read before it is used. Nil options are the defaults.
func New(layers []Layer, o *Options) *FS {
	if o == nil {
		o = &Options{}
	}
	f := &FS{layers: slices.Clone(layers), o: o.withDefaults()}
	f.index.turn = make(chan struct{}, 1)
	return f
}

// Open opens a file for reading. What it returns for a regular file is an io.ReaderAt and io.Seeker too, and for
// a directory an fs.ReadDirFile. Devices and named pipes open and can not be read.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name, true)
	switch {
	case err != nil:
		return nil, err
	case n.isDir():
		return &openDir{info: infoOf(name, n)}, nil
	}
	return &openFile{fsys: f, info: infoOf(name, n)}, nil
}

// Stat describes a file, through symbolic links. The Sys method of what it returns gives a *tar.Header, with owner,
// attributes, link target and device number.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// Lstat is Stat without following a link that name itself is.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	n, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return infoOf(name, n), nil
}

// ReadLink returns the target of a symbolic link, as the image has it.
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if !n.isSymlink() {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.target(), nil
}

// ReadDir lists a directory, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name, true)
	switch {
	case err != nil:
		return nil, err
	case !n.isDir():
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: syscall.ENOTDIR}
	}
	return entries(name, n.dir.list), nil
}

// ReadFile reads a whole file into memory.
func (f *FS) ReadFile(name string) ([]byte, error) {
	opened, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	fi, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	// What the header says of the size is not believed before it was read.
	b := make([]byte, 0, min(fi.Size(), 1<<20)+1)
	for {
		n, err := opened.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(max(fi.Size()-int64(len(b)), 0)+1, int64(len(b)))))
		}
	}
}

// find looks a name up.
func (f *FS) find(op, name string, follow bool) (*node, error) {
	if !valid(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	root, err := f.tree(context.Background())
	if err == nil {
		root, err = resolve(root, name, follow)
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return root, nil
}

// valid is fs.ValidPath for names that need not be UTF-8.
func valid(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// resolve walks a path in a finished index. follow is for a link at its end.
func resolve(root *node, path string, follow bool) (*node, error) {
	stack, todo, hops := []*node{root}, components(path), 0
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		dir := stack[len(stack)-1]
		if !dir.isDir() {
			return nil, syscall.ENOTDIR
		}
		if name == ".." {
			stack = stack[:max(len(stack)-1, 1)]
			continue
		}
		next := dir.lookup(name)
		if next == nil {
			return nil, fs.ErrNotExist
		}
		if !next.isSymlink() || len(todo) == 0 && !follow {
			stack = append(stack, next)
			continue
		}
		if hops++; hops > maxHops {
			return nil, syscall.ELOOP
		}
		if strings.HasPrefix(next.target(), "/") {
			stack = stack[:1]
		}
		todo = append(todo, components(next.target())...)
	}
	return stack[len(stack)-1], nil
}
