package changes

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// What a copied file looks like. Root gives it its owner, and everything else. Another user's file is complete but for
// what only the proxy may do: it gives the file away, and does again what giving away undoes.

// dress gives an open file of the copy its look. The order matters: chown(2) clears set-id bits and file capabilities,
// and everything but a chown changes the time.
func (c *cloner) dress(f *os.File, path string, l *Looked, list []Xattr) error {
	fd := int(f.Fd())
	if c.root {
		if err := sys.Fchown(fd, l.UID, l.GID); err != nil {
			return fail("chown", path, err)
		}
	}
	var theirs []Xattr
	for _, x := range list {
		if !c.root && (x.Mapped || x.Name == "security.capability") {
			theirs = append(theirs, x)
			continue
		}
		if err := sys.Fsetxattr(fd, x.Name, x.Value); err != nil {
			return fail("setxattr "+x.Name, path, err)
		}
	}
	if err := sys.Fchmod(fd, l.Mode&0o7777); err != nil {
		return fail("chmod", path, err)
	}
	if err := sys.Lutimesat(fd, "", l.Mtime); err != nil {
		return fail("utimes", path, err)
	}
	if c.root {
		return nil
	}
	return c.giveAway(f, path, l, theirs)
}

// giveAway has the proxy give an open file to who owns it in the container, and set the attributes that only the
// container's root may. The container's root is the program's user.
func (c *cloner) giveAway(f *os.File, path string, l *Looked, list []Xattr) error {
	uid, gid, err := c.t.owner(l)
	if err != nil || uid == 0 && gid == 0 && list == nil {
		return fail("chown", path, err)
	}
	p, err := c.proxied()
	if err != nil {
		return fail("chown", path, err)
	}
	for i, x := range list {
		if list[i].Value, err = c.t.inContainer(x, l); err != nil {
			return fail("setxattr "+x.Name, path, err)
		}
	}
	fd, err := p.Proxy.Send(f)
	if err != nil {
		return fail("chown", path, err)
	}
	defer p.closeFD(fd)
	return fail("chown", path, p.Proxy.Do(func(t *tape.Tape) {
		t.Fchownat(tape.Int(fd), "", uint32(uid), uint32(gid), sys.AT_EMPTY_PATH)
		for _, x := range list {
			if x.Value != nil { // one of another namespace counts for nothing in this one
				t.Fsetxattr(tape.Int(fd), x.Name, string(x.Value))
			}
		}
		t.Fchmod(tape.Int(fd), l.Mode&0o7777)
	}))
}

// dressName is dress for what must not be opened.
func (c *cloner) dressName(dir int, it *item, path string) error {
	if c.root {
		uid, gid := it.UID, it.GID
		if it.Mapped {
			return fail("chown", path, errors.ErrUnsupported)
		}
		if err := sys.Lchownat(dir, it.name, uid, gid); err != nil {
			return fail("chown", path, err)
		}
	}
	if it.Type() != sys.S_IFLNK {
		if err := sys.Lchmodat(dir, it.name, it.Mode&0o7777); err != nil {
			return fail("chmod", path, err)
		}
	}
	if err := sys.Lutimesat(dir, it.name, it.Mtime); err != nil {
		return fail("utimes", path, err)
	}
	if c.root {
		return nil
	}
	return c.giveNameAway(dir, it, path)
}

// giveNameAway is giveAway for what must not be opened.
func (c *cloner) giveNameAway(dir int, it *item, path string) error {
	uid, gid, err := c.t.owner(&it.Looked)
	if err != nil || uid == 0 && gid == 0 {
		return fail("chown", path, err)
	}
	p, err := c.proxied()
	if err != nil {
		return fail("chown", path, err)
	}
	again, err := sys.Openat2(dir, ".", dirFlags, 0, inside)
	if err != nil {
		return fail("open", path, err)
	}
	f := os.NewFile(uintptr(again), "directory")
	fd, err := p.Proxy.Send(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fail("chown", path, err)
	}
	defer p.closeFD(fd)
	return fail("chown", path, p.Proxy.Do(func(t *tape.Tape) {
		t.Fchownat(tape.Int(fd), it.name, uint32(uid), uint32(gid), sys.AT_SYMLINK_NOFOLLOW)
	}))
}

// proxied is the proxy by which the files are opened that this program may not open.
func (c *cloner) proxied() (Proxied, error) {
	switch o := c.t.Opener.(type) {
	case Proxied:
		return o, nil
	case *Fallback:
		return o.through()
	}
	return Proxied{}, &fs.PathError{Op: "chown", Path: "without a proxy", Err: syscall.EPERM}
}
