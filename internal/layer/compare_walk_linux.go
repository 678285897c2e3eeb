package layer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// maxLevels bounds the directories that are open at once.
const maxLevels = 900

// walk is the second pass.
func (c *comparer) walk(ctx context.Context) error {
	d, err := inroot.Open(c.dir, "/", sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", err)
	}
	defer d.Close()
	return c.entry(ctx, d, c.m.top, "", 0)
}

// entry compares one name with its twin. f is opened with O_PATH, and closed by the caller.
func (c *comparer) entry(ctx context.Context, f *os.File, n *twin, path string, level int) error {
	c.Entries++
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return fail("stat", err)
	}
	if st.Mode&syscall.S_IFMT != n.typ {
		c.differ(path, "is of another type")
		return nil
	}
	if n.whiteout {
		if st.Rdev != 0 {
			c.differ(path, "is a device, not a whiteout")
		}
		return nil
	}
	c.look(f, n, path, &st)
	if !n.isDir() {
		return c.leaf(f, n, path, &st)
	}
	return c.children(ctx, f, n, path, level)
}

// look compares what every type has.
func (c *comparer) look(f *os.File, n *twin, path string, st *syscall.Stat_t) {
	if mode := st.Mode & 0o7777; mode != n.mode && n.typ != syscall.S_IFLNK {
		c.differ(path, fmt.Sprintf("mode is %04o, not %04o", mode, n.mode))
	}
	if st.Uid != n.uid || st.Gid != n.gid {
		c.differ(path, fmt.Sprintf("owner is %d:%d, not %d:%d", st.Uid, st.Gid, n.uid, n.gid))
	}
	if got := (sys.Time{Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec}); got != n.mtime && storable(n.mtime) {
		c.differ(path, fmt.Sprintf("time is %d.%09d, not %d.%09d", got.Sec, got.Nsec, n.mtime.Sec, n.mtime.Nsec))
	}
	c.attributes(f, n, path)
}

// storable excludes times that file systems have no room for: before 1901, and after 2446, where ext4 ends.
func storable(t sys.Time) bool { return t.Sec >= -1<<31 && t.Sec < 15_032_385_536 }

// leaf compares what is no directory.
func (c *comparer) leaf(f *os.File, n *twin, path string, st *syscall.Stat_t) error {
	if uint64(st.Nlink) != uint64(n.links) {
		c.differ(path, fmt.Sprintf("has %d names, not %d", st.Nlink, n.links))
	}
	if n.ino == 0 {
		n.dev, n.ino = uint64(st.Dev), st.Ino
	} else if n.dev != uint64(st.Dev) || n.ino != st.Ino {
		c.differ(path, "is not a link to "+n.path())
	}
	switch n.typ {
	case syscall.S_IFREG:
		switch {
		case n.bad != "":
			c.differ(path, n.bad)
		case n.unread:
			c.Unread++
		case st.Size != n.size:
			c.differ(path, fmt.Sprintf("has %d bytes, not %d", st.Size, n.size))
		}
	case syscall.S_IFLNK:
		target, err := sys.Readlinkat(int(f.Fd()), "")
		if err != nil {
			return fail("readlink", err)
		}
		if target != n.target {
			c.differ(path, fmt.Sprintf("points to %.300q, not %.300q", target, n.target))
		}
	case syscall.S_IFCHR, syscall.S_IFBLK:
		if uint64(st.Rdev) != n.rdev {
			c.differ(path, "is another device")
		}
	}
	return nil
}

// children compares the names in a directory, in order.
func (c *comparer) children(ctx context.Context, f *os.File, n *twin, path string, level int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if level >= maxLevels {
		return fail("compare", &LimitError{"levels of directories", maxLevels})
	}
	names, err := c.denied.names(f, path)
	if os.IsPermission(err) {
		c.Unread++
		return nil
	}
	if err != nil {
		c.differ(path, "can not be read: "+err.Error())
		return nil
	}
	seen := 0
	for _, name := range names {
		at := strings.TrimPrefix(path+"/"+name, "/")
		child := n.children[name]
		if child == nil {
			c.differ(at, "does not belong here")
			continue
		}
		seen++
		if err := c.child(ctx, f, child, name, at, level); err != nil {
			return err
		}
	}
	if seen < len(n.children) {
		for name := range n.children {
			if _, found := slices.BinarySearch(names, name); !found {
				c.differ(strings.TrimPrefix(path+"/"+name, "/"), "is missing")
			}
		}
	}
	return nil
}

func (c *comparer) child(ctx context.Context, dir *os.File, n *twin, name, path string, level int) error {
	f, err := c.denied.child(dir, name, path)
	if os.IsPermission(err) {
		c.Unread++ // a directory that may be listed, not entered
		return nil
	}
	if err != nil {
		c.differ(path, "can not be opened: "+err.Error())
		return nil
	}
	defer f.Close()
	return c.entry(ctx, f, n, path, level+1)
}

// namesIn reads the names in a directory that is open with O_PATH.
func namesIn(f *os.File) ([]string, error) {
	fd, err := sys.OpenDirat(int(f.Fd()), ".")
	if err != nil {
		return nil, err
	}
	d := os.NewFile(uintptr(fd), f.Name())
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err == io.EOF {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

// attributes compares the extended attributes that a layer may have. Others, such as a security module's labels, are
// the host's.
func (c *comparer) attributes(f *os.File, n *twin, path string) {
	if n.typ != syscall.S_IFREG && !n.isDir() {
		return
	}
	opaque := "trusted.overlay.opaque"
	if c.m.o.UserXattr {
		opaque = "user.overlay.opaque"
	}
	left := 0
	link := sys.FDPath(f)
	for _, name := range heldAttributes(link) {
		want, ok := n.xattrs[name]
		if name == opaque {
			want, ok = "y", n.opaque
		}
		switch {
		case !ok && ours(name):
			c.differ(path, "has the attribute "+name)
		case ok:
			left++
			if got := c.heldAttribute(link, path, name); !sameAttribute(name, got, want) {
				c.differ(path, "attribute "+name)
			}
		}
	}
	expected := len(n.xattrs)
	if n.opaque {
		expected++
	}
	if left == expected {
		return
	}
	if n.opaque && c.heldAttribute(link, path, opaque) != "y" {
		c.differ(path, "is not opaque")
	}
	for name := range n.xattrs {
		if c.heldAttribute(link, path, name) == "" && !c.skipped(n, name) {
			c.differ(path, "lacks the attribute "+name)
		}
	}
}

// ours reports attributes that come from nowhere but the layer.
func ours(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.overlay.") ||
		name == "security.capability" || name == "system.posix_acl_access" || name == "system.posix_acl_default"
}

// skipped reports an attribute that the file system refused when the layer was unpacked, or that is as good as absent.
func (c *comparer) skipped(n *twin, name string) bool {
	if strings.HasPrefix(name, "system.posix_acl_") || n.xattrs[name] == "" {
		return true // a list that says no more than the mode is not kept
	}
	return c.made.Skips > int64(len(c.made.Skipped)) ||
		slices.ContainsFunc(c.made.Skipped, func(s Skip) bool { return s.What == name })
}

// sameAttribute compares values. A mode that is set behind an access control list changes it; and capabilities have
// the user whose namespace they count in, or not, depending on who asks.
func sameAttribute(name, got, want string) bool {
	if strings.HasPrefix(name, "system.posix_acl_") {
		return true
	}
	if name == "security.capability" {
		return bytes.Equal(rootless(got), rootless(want))
	}
	return got == want
}

// rootless is a vfs_cap_data of revision 2: one of revision 3 has the id of a user behind it. linux/capability.h.
func rootless(v string) []byte {
	b := []byte(v)
	if len(b) == 24 && b[3] == 3 {
		b[3] = 2
		return b[:20]
	}
	return b
}

// heldAttributes and heldAttribute read by a path through /proc, because the file is open with O_PATH.
func heldAttributes(link string) []string {
	buf := make([]byte, 1024)
	n, err := syscall.Listxattr(link, buf)
	if err == syscall.ERANGE {
		buf = make([]byte, 64<<10) // XATTR_LIST_MAX
		n, err = syscall.Listxattr(link, buf)
	}
	if err != nil || n == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
}

func (c *comparer) heldAttribute(link, path, name string) string {
	buf := make([]byte, 256)
	n, err := syscall.Getxattr(link, name, buf)
	if err == syscall.ERANGE {
		buf = make([]byte, 64<<10) // XATTR_SIZE_MAX
		n, err = syscall.Getxattr(link, name, buf)
	}
	if os.IsPermission(err) {
		return c.denied.attribute(path, name)
	}
	if err != nil {
		return ""
	}
	return string(buf[:n])
}
