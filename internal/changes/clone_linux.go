package changes

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// Cloned is what came of copying a tree.
type Cloned struct {
	Entries int64 // files, directories and whiteouts
	Bytes   int64 // of files, holes included
	Shared  int64 // bytes of them that share their blocks with the original
}

// Clone copies the upper directory of a tree into dst, an empty directory, so that an overlay shows the same with the
// copy: content, owners, modes, times, names of one file, devices, FIFOs, sockets, holes, whiteouts, and the extended
// attributes with those of overlayfs. Where the filesystem can (Btrfs, XFS) files share their blocks with the original,
// which takes the same time for a gigabyte as for a byte; elsewhere the kernel copies them.
//
// The files are opened as Tree.Opener has it. They are made with the rights of the program; if that is not root, the proxy
// of the Opener gives them to their owners, and Tree.Owner must be the map of its user namespace, in which the program's
// own ids are root's. Nothing is synced. After an error dst holds a part.
//
// Errors: *Error around ErrChanged, a *LimitError, the errno; ctx.Err().
func Clone(ctx context.Context, t Tree, dst *os.File) (Cloned, error) {
	limits := t.Limits.withDefaults()
	c := &cloner{walker: newWalker(ctx, &t, limits), to: newPool(Direct{}), links: map[identity]*made{}, root: os.Geteuid() == 0}
	defer c.close()
	defer c.to.close()
	err := c.run(dst)
	return c.result, err
}

type cloner struct {
	*walker
	to     *pool
	into   []*target // one for each frame
	result Cloned
	buf    []byte
	slow   bool // this filesystem has no shared blocks
	root   bool // this program may give files to anybody

	links     map[identity]*made
	linkBytes int64
}

// target is a directory of the copy, and what it will look like when everything is in it.
type target struct {
	*node
	look Looked
}

// made is a file of the copy that has more names to come.
type made struct {
	dir  *node
	name string
	left uint32
}

func (c *cloner) run(dst *os.File) error {
	upper, err := c.pool.top(c.t.Upper)
	if err != nil {
		return fail("open", "", err)
	}
	to, err := c.to.top(dst)
	if err != nil {
		return fail("open", "", err)
	}
	c.enter(&frame{stack: []*node{upper}}, to, Looked{Look: upper.look})
	return c.visitAll(c.visit, c.leave)
}

func (c *cloner) enter(f *frame, to *node, look Looked) {
	c.into = append(c.into, &target{to, look})
	c.push(f)
}

// leave gives a directory its look. Not before, because what is made in it changes its time, and takes after its access
// control list.
func (c *cloner) leave(f *frame) error {
	to := c.into[len(c.into)-1]
	c.into = c.into[:len(c.into)-1]
	from, err := c.pool.get(f.stack[0])
	if err != nil {
		return fail("open", c.at(f), err)
	}
	list, err := from.Xattrs(cloneXattr)
	if err != nil {
		return fail("getxattr", c.at(f), err)
	}
	if _, err := c.fd(to.node); err != nil {
		return fail("open", c.at(f), err)
	}
	if err := c.dress(to.dir.(*directDir).f, c.at(f), &to.look, list); err != nil {
		return err
	}
	c.to.drop(to.node)
	c.pop()
	return nil
}

// fd is the open directory of the copy.
func (c *cloner) fd(n *node) (int, error) {
	d, err := c.to.get(n)
	if err != nil {
		return -1, err
	}
	return d.(*directDir).fd, nil
}

// visit copies one name.
func (c *cloner) visit(f *frame, it *item) error {
	path := c.below(f, it.name)
	c.result.Entries++
	parent := c.into[len(c.into)-1].node
	fd, err := c.fd(parent)
	if err != nil {
		return fail("open", c.at(f), err)
	}
	if it.Type() == sys.S_IFDIR {
		return c.directory(f, it, path, parent, fd)
	}
	if done, err := c.hardLink(it, path, parent); done || err != nil {
		return err
	}
	switch it.Type() {
	case sys.S_IFREG:
		return c.regular(f, it, path, fd)
	case sys.S_IFLNK:
		return c.symlink(f, it, path, fd)
	}
	err = sys.Mknodat(fd, it.name, it.Type()|0o600, sys.Makedev(it.Major, it.Minor))
	if err != nil {
		return fail("mknod", path, err)
	}
	return c.dressName(fd, it, path)
}

func (c *cloner) directory(f *frame, it *item, path string, parent *node, fd int) error {
	n := &node{parent: f.stack[0], name: it.name, look: it.Look}
	from, err := c.pool.get(n)
	if err != nil {
		return fail("open", path, err)
	}
	of, err := from.Look() // with the owner on the host
	if err != nil {
		return fail("stat", path, err)
	}
	if err := sys.Mkdirat(fd, it.name, 0o700); err != nil {
		return fail("mkdir", path, err)
	}
	look, err := sys.Lookat(fd, it.name)
	if err != nil {
		return fail("stat", path, err)
	}
	c.enter(&frame{name: it.name, stack: []*node{n}}, &node{parent: parent, name: it.name, look: look}, Looked{Look: of})
	return nil
}

// hardLink makes a further name of a file, or notes its first.
func (c *cloner) hardLink(it *item, path string, parent *node) (done bool, err error) {
	if it.Nlink < 2 {
		return false, nil
	}
	id := identity{it.Dev, it.Ino}
	first, ok := c.links[id]
	if !ok {
		c.linkBytes += int64(len(it.name)) + 128
		if c.linkBytes > c.limits.Links {
			return false, fail("link", path, &LimitError{"bytes of names of files with several names", c.limits.Links})
		}
		c.links[id] = &made{parent, it.name, it.Nlink - 1}
		return false, nil
	}
	// Opening one directory may close the other, so both are opened beforehand and one is kept.
	old, err := c.fd(first.dir)
	if err != nil {
		return false, fail("open", path, err)
	}
	if old, err = sys.Openat2(old, ".", dirFlags, 0, inside); err != nil {
		return false, fail("open", path, err)
	}
	defer func() { _ = sys.CloseFD(old) }()
	fd, err := c.fd(parent)
	if err == nil {
		err = sys.Linkat(old, first.name, fd, it.name)
	}
	if first.left--; first.left == 0 {
		delete(c.links, id)
		c.linkBytes -= int64(len(first.name)) + 128
	}
	return true, fail("link", path, err)
}

func (c *cloner) symlink(f *frame, it *item, path string, fd int) error {
	d, err := c.pool.get(f.stack[0])
	if err != nil {
		return fail("open", c.at(f), err)
	}
	l := d.Links([]string{it.name})[0]
	if l.Err != nil {
		return fail("readlink", path, l.Err)
	}
	if err := sys.Symlinkat(l.Target, fd, it.name); err != nil {
		return fail("symlink", path, err)
	}
	return c.dressName(fd, it, path)
}

// regular copies a regular file.
func (c *cloner) regular(f *frame, it *item, path string, fd int) error {
	d, err := c.pool.get(f.stack[0])
	if err != nil {
		return fail("open", c.at(f), err)
	}
	file := d.Files([]string{it.name}, cloneXattr)[0]
	if file.Err != nil {
		return fail("open", path, file.Err)
	}
	defer func() { _ = file.Close() }()
	was, err := sys.Lookat(int(file.Fd()), "")
	if err == nil && !was.Same(&it.Look) {
		err = ErrChanged
	}
	if err != nil {
		return fail("open", path, err)
	}
	made, err := sys.CreateExcl(fd, it.name)
	if err != nil {
		return fail("create", path, err)
	}
	to := os.NewFile(uintptr(made), it.name)
	err = c.content(made, int(file.Fd()), &was)
	if err == nil {
		err = c.dress(to, path, &Looked{Look: was}, file.Xattrs)
	}
	return fail("write", path, errors.Join(err, to.Close()))
}

// cloneXattr leaves out what the host's security modules have put there.
func cloneXattr(name string) bool {
	return !strings.HasPrefix(name, "security.") || name == "security.capability"
}

// content copies what a file holds.
func (c *cloner) content(to, from int, was *sys.Look) error {
	c.result.Bytes += was.Size
	if was.Size > 0 {
		shared, err := c.share(to, from)
		if err != nil {
			return err
		}
		if shared {
			c.result.Shared += was.Size
		} else if err := c.copy(to, from, was); err != nil {
			return err
		}
	}
	return stayed(from, was)
}

// share makes the copy of the original's blocks, if that can be.
func (c *cloner) share(to, from int) (bool, error) {
	if c.slow {
		return false, nil
	}
	switch err := sys.Ficlone(to, from); {
	case err == nil:
		return true, nil
	case errors.Is(err, errors.ErrUnsupported), err == syscall.EXDEV, err == syscall.ENOTTY, err == syscall.EINVAL, errors.Is(err, fs.ErrPermission):
		c.slow = true
		return false, nil
	default:
		return false, err
	}
}

// copy copies what is no hole.
func (c *cloner) copy(to, from int, was *sys.Look) error {
	if was.Blocks*512 >= was.Size {
		return c.copyRange(to, from, 0, was.Size)
	}
	for off := int64(0); off < was.Size; {
		data, end := nextData(from, off, was.Size)
		if err := c.copyRange(to, from, data, end); err != nil {
			return err
		}
		off = end
	}
	return sys.Truncate(to, was.Size) // there may be a hole at the end
}

func (c *cloner) copyRange(to, from int, off, end int64) error {
	for off < end {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := c.copySome(to, from, off, end)
		if err == nil && n == 0 {
			err = ErrChanged // it has become shorter
		}
		if err != nil {
			return err
		}
		off += n
	}
	return nil
}

// copySome copies the next bytes. Little is copied faster through memory, and some filesystems know no other way.
func (c *cloner) copySome(to, from int, off, end int64) (int64, error) {
	if end-off > readSize {
		n, err := sys.CopyRange(to, from, off, min(end-off, copyAtOnce))
		if !errors.Is(err, errors.ErrUnsupported) && err != syscall.EXDEV && err != syscall.EINVAL {
			return n, err
		}
	}
	return c.copyByHand(to, from, off, end)
}

// copyAtOnce is so little that a copy ends soon after its context.
const copyAtOnce = 64 << 20

// copyByHand copies a piece through memory.
func (c *cloner) copyByHand(to, from int, off, end int64) (int64, error) {
	if c.buf == nil {
		c.buf = make([]byte, readSize)
	}
	n, err := sys.Pread(from, c.buf[:min(end-off, int64(len(c.buf)))], off)
	if err != nil {
		return 0, err
	}
	return int64(n), sys.Pwrite(to, c.buf[:n], off)
}
