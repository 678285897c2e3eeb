package treediff

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Read reads the tree below a directory. As root it sees everything; anybody else fails at the first file that may not
// be read, and does not see attributes of the trusted namespace.
func Read(root string, form Form) (Tree, error) {
	r := &reader{root: root, form: form, tree: Tree{}, inodes: map[inode][]string{}}
	if err := filepath.WalkDir(root, r.visit); err != nil {
		return nil, err
	}
	r.links()
	if form == Named {
		r.translate()
	}
	return r.tree, nil
}

type inode struct{ dev, ino uint64 }

type reader struct {
	root   string
	form   Form
	tree   Tree
	inodes map[inode][]string // the paths of each file that has several
}

func (r *reader) visit(at string, _ fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(r.root, at)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(at, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: at, Err: err}
	}
	e := Entry{Kind: kinds()[st.Mode&syscall.S_IFMT], Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid,
		Time: time.Unix(st.Mtim.Sec, st.Mtim.Nsec)}
	if e.Xattrs, err = xattrs(at, e.Kind); err != nil {
		return &fs.PathError{Op: "xattrs", Path: at, Err: err}
	}
	switch e.Kind {
	case File:
		e.Size = st.Size
		e.Sum, err = sum(at)
	case Symlink:
		e.Mode = 0
		e.Target, err = os.Readlink(at)
	case CharDevice, BlockDevice:
		e.Device = uint64(st.Rdev)
	}
	if err != nil {
		return err
	}
	if r.form == Overlay {
		e = fromOverlay(e)
	}
	if e.Kind != Dir && e.Kind != Whiteout && st.Nlink > 1 {
		key := inode{uint64(st.Dev), st.Ino}
		r.inodes[key] = append(r.inodes[key], rel)
	}
	r.tree[rel] = e
	return nil
}

func kinds() map[uint32]Kind {
	return map[uint32]Kind{syscall.S_IFREG: File, syscall.S_IFDIR: Dir, syscall.S_IFLNK: Symlink, syscall.S_IFIFO: Fifo,
		syscall.S_IFSOCK: Socket, syscall.S_IFCHR: CharDevice, syscall.S_IFBLK: BlockDevice}
}

// links names each file that has several paths by the first of them.
func (r *reader) links() {
	for _, paths := range r.inodes {
		if len(paths) < 2 {
			continue
		}
		slices.Sort(paths)
		for _, p := range paths {
			e := r.tree[p]
			e.Link = paths[0]
			r.tree[p] = e
		}
	}
}

// fromOverlay tells a whiteout and an opaque directory by what the kernel tells them.
func fromOverlay(e Entry) Entry {
	if e.Kind == CharDevice && e.Device == 0 {
		return Entry{Kind: Whiteout}
	}
	if e.Kind == Dir && e.Xattrs["trusted.overlay.opaque"] == "y" {
		e.Opaque = true
	}
	for _, name := range []string{"trusted.overlay.opaque", "trusted.overlay.origin", "trusted.overlay.impure"} {
		delete(e.Xattrs, name)
	}
	return e
}

// translate takes the names of the image format for what they mean. A whiteout of what its own layer has is about the
// layers below: it hides them for a directory, and says nothing more of a file, which hides them by itself.
func (r *reader) translate() {
	const prefix, opaque = ".wh.", ".wh..wh..opq"
	for p := range r.tree {
		dir, base := path.Split(p)
		name, ok := strings.CutPrefix(base, prefix)
		if !ok {
			continue
		}
		delete(r.tree, p)
		at := path.Clean(dir + name)
		if base == opaque {
			at = path.Clean(dir)
		}
		e, there := r.tree[at]
		switch {
		case !there:
			r.tree[at] = Entry{Kind: Whiteout}
		case e.Kind == Dir:
			e.Opaque = true
			r.tree[at] = e
		}
	}
}

func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// xattrs reads the attributes of the file itself, never of what a link points to.
func xattrs(file string, kind Kind) (map[string]string, error) {
	if kind == Symlink { // the calls that do not follow are not in package syscall; a descriptor's name does not follow
		const oPath = 0x200000 // O_PATH of open(2)
		fd, err := syscall.Open(file, oPath|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer func() { _ = syscall.Close(fd) }()
		file = "/proc/self/fd/" + strconv.Itoa(fd)
	}
	names, err := growing(func(p []byte) (int, error) { return syscall.Listxattr(file, p) })
	if err != nil || len(names) == 0 {
		return nil, ignoreUnsupported(err)
	}
	all := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(names, "\x00"), "\x00") {
		value, err := growing(func(p []byte) (int, error) { return syscall.Getxattr(file, name, p) })
		if err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// growing calls with more and more room.
func growing(call func([]byte) (int, error)) (string, error) {
	for room := 1024; ; room *= 4 {
		p := make([]byte, room)
		n, err := call(p)
		if err == syscall.ERANGE {
			continue
		}
		return string(p[:max(n, 0)]), err
	}
}
