package changes

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// archive writes what a walker comes to.
type archive struct {
	*walker
	layer  bool // only one layer, with its whiteouts
	made   map[string]bool
	result Result

	sum   hash.Hash
	count counter
	out   *bufio.Writer
	tw    *tar.Writer
	buf   []byte
	bytes int64 // of files

	links     map[identity]*firstName
	linkBytes int64
}

// identity is that of a file with several names.
type identity struct{ dev, ino uint64 }

// firstName is the name under which such a file was written, and how many names are still to come.
type firstName struct {
	path string
	left uint32
}

// header is the entry of a directory or file, and whether what is below it in other layers is hidden.
type header struct {
	tar.Header
	opaque bool
}

const (
	writeSize = 256 << 10
	readSize  = 256 << 10
	maxSkips  = 256
)

func newArchive(ctx context.Context, w io.Writer, t *Tree, l Limits) *archive {
	a := &archive{
		walker: newWalker(ctx, t, l), made: t.made(), sum: sha256.New(), links: map[identity]*firstName{},
		buf: make([]byte, readSize),
	}
	a.count.w = w
	a.out = bufio.NewWriterSize(io.MultiWriter(a.sum, &a.count), writeSize)
	a.tw = tar.NewWriter(a.out)
	return a
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// finish ends the archive.
func (a *archive) finish() error {
	if err := errors.Join(a.tw.Close(), a.out.Flush()); err != nil {
		return fail("write", "", err)
	}
	a.result.DiffID = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(a.sum.Sum(nil))}
	a.result.Size = a.count.n
	return nil
}

func (a *archive) skip(path, what, reason string) {
	a.result.Skips++
	if len(a.result.Skipped) < maxSkips {
		a.result.Skipped = append(a.result.Skipped, Skip{path, what, reason})
	}
}

// header describes a file. Everything in it is from the file or fixed.
func (a *archive) header(path string, l *Looked, xattrs []Xattr) (*header, error) {
	uid, gid, err := a.t.owner(l)
	if err != nil {
		return nil, fail("chown", path, err)
	}
	h := &header{Header: tar.Header{
		Format: tar.FormatPAX, Name: strings.TrimPrefix(path, "/"), Mode: int64(l.Mode & 0o7777), Uid: uid, Gid: gid,
		ModTime: time.Unix(l.Mtime.Sec, l.Mtime.Nsec),
	}}
	switch l.Type() {
	case sys.S_IFDIR:
		h.Typeflag = tar.TypeDir
		h.Name += "/"
		if path == "" {
			h.Name = "./"
		}
	case sys.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, l.Size
	case sys.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
	case sys.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case sys.S_IFCHR, sys.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if l.Type() == sys.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(l.Major), int64(l.Minor)
	default:
		return nil, fail("stat", path, errors.ErrUnsupported)
	}
	return h, a.addXattrs(h, path, l, xattrs)
}

// paxXattr is the prefix of the PAX records that carry extended attributes.
const paxXattr = "SCHILY.xattr."

func (a *archive) addXattrs(h *header, path string, l *Looked, list []Xattr) error {
	for _, x := range list {
		if !keepXattr(x.Name) {
			continue
		}
		v, err := a.t.inContainer(x, l)
		if err != nil {
			return fail("getxattr", path, err)
		}
		switch {
		case v == nil:
			a.skip(path, x.Name, "it means nothing outside its user namespace")
			continue
		case strings.Contains(x.Name, "="):
			a.skip(path, x.Name, "a PAX record cannot have such a name")
			continue
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[paxXattr+x.Name] = string(v)
	}
	return nil
}

// keepXattr tells the attributes that belong to the file and not to the host: not those of overlayfs, nor the labels of a
// security module.
func keepXattr(name string) bool {
	switch name {
	case "security.capability", "system.posix_acl_access", "system.posix_acl_default":
		return true
	}
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

// write writes an entry, and before it those of the directories above that were not written yet.
func (a *archive) write(h *header) error {
	first := len(a.frames)
	for first > 0 && a.frames[first-1].note.header != nil {
		first--
	}
	for _, f := range a.frames[first:] {
		above := f.note.header
		f.note.header = nil
		if err := a.entry(&above.Header); err != nil {
			return err
		}
	}
	if err := a.entry(&h.Header); err != nil {
		return err
	}
	if !h.opaque {
		return nil
	}
	return a.entry(&tar.Header{
		Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: h.Name + opaqueMarker, Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime,
	})
}

func (a *archive) entry(h *tar.Header) error {
	a.result.Entries++
	err := a.tw.WriteHeader(h)
	if errors.Is(err, tar.ErrFieldTooLong) {
		err = errors.Join(&LimitError{"bytes in a tar header", 1 << 20}, err)
	}
	return fail("write", "/"+h.Name, err)
}

// whiteout writes the entry of a removed name. It has a fixed look: that of the device in the upper directory is of no
// file.
func (a *archive) whiteout(f *frame, it *item) error {
	if strings.HasPrefix(it.name, whiteoutPrefix) {
		a.skip(a.below(f, it.name), "removed name", "a layer cannot say that such a name was removed")
		return nil
	}
	if len(it.name)+len(whiteoutPrefix) > maxName {
		return fail("write", a.below(f, it.name), &LimitError{"bytes in a removed name", maxName - int64(len(whiteoutPrefix))})
	}
	return a.write(&header{Header: tar.Header{
		Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: strings.TrimPrefix(a.below(f, whiteoutPrefix+it.name), "/"),
		ModTime: time.Unix(0, 0),
	}})
}

// maxName is NAME_MAX of every Linux file system.
const maxName = 255

// hardLink writes a further name of a file that was written already, or notes its first.
func (a *archive) hardLink(path string, it *item) (done bool, err error) {
	if it.Nlink < 2 {
		return false, nil
	}
	id := identity{it.Dev, it.Ino}
	first, ok := a.links[id]
	if !ok {
		a.linkBytes += int64(len(path)) + 128
		if a.linkBytes > a.limits.Links {
			return false, fail("link", path, &LimitError{"bytes of names of files with several names", a.limits.Links})
		}
		a.links[id] = &firstName{path, it.Nlink - 1}
		return false, nil
	}
	if first.left--; first.left == 0 {
		delete(a.links, id)
		a.linkBytes -= int64(len(first.path)) + 128
	}
	h, err := a.header(path, &it.Looked, nil)
	if err != nil {
		return false, err
	}
	h.Devmajor, h.Devminor = 0, 0
	h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, strings.TrimPrefix(first.path, "/")
	return true, a.write(h)
}
