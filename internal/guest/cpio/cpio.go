// Package cpio writes archives in the "newc" format, the one in which the Linux kernel takes its initial root file system.
//
// The format is described in the kernel's driver-api/early-userspace/buffer-format.rst: for each member a header of ASCII
// hexadecimal numbers, the name and the content, each padded to four bytes; the member TRAILER!!! ends the archive.
package cpio

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"
)

// The file types of a member's mode (inode(7)).
const (
	typeDir     = 0o040000
	typeChar    = 0o020000
	typeFile    = 0o100000
	typeSymlink = 0o120000

	trailer = "TRAILER!!!"
	mebi    = 1 << 20
)

// Writer writes one archive. Missing parent directories are added with mode 0755; everything belongs to root and carries
// no time, so that the same input gives the same bytes.
type Writer struct {
	w       io.Writer
	inode   uint32
	written int64
	dirs    map[string]bool
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, dirs: map[string]bool{".": true}}
}

// Dir adds a directory; a directory that is already there is left as it is.
func (w *Writer) Dir(name string, perm fs.FileMode) error {
	name, err := w.place(name)
	if err != nil || w.dirs[name] {
		return err
	}
	w.dirs[name] = true
	return w.member(name, typeDir|permission(perm), 0, 0, strings.NewReader(""))
}

// File adds a regular file whose content is the next size bytes of r.
func (w *Writer) File(name string, perm fs.FileMode, size int64, r io.Reader) error {
	name, err := w.place(name)
	if err != nil {
		return err
	}
	return w.member(name, typeFile|permission(perm), 0, size, r)
}

// Symlink adds a symbolic link.
func (w *Writer) Symlink(name, target string) error {
	name, err := w.place(name)
	if err != nil {
		return err
	}
	return w.member(name, typeSymlink|0o777, 0, int64(len(target)), strings.NewReader(target))
}

// CharDevice adds a character device.
func (w *Writer) CharDevice(name string, perm fs.FileMode, major, minor uint8) error {
	name, err := w.place(name)
	if err != nil {
		return err
	}
	return w.member(name, typeChar|permission(perm), uint32(major)<<8|uint32(minor), 0, strings.NewReader(""))
}

// Close writes the trailer. It does not close the underlying writer.
func (w *Writer) Close() error {
	w.inode = 0
	return w.member(trailer, 0, 0, 0, strings.NewReader(""))
}

// place makes the name relative, as the kernel wants it, and adds the parents.
func (w *Writer) place(name string) (string, error) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return ".", nil
	}
	if strings.ContainsRune(name, 0) || name == trailer {
		return "", fmt.Errorf("cpio: %q can not name a member", name)
	}
	return name, w.Dir(path.Dir(name), 0o755)
}

// permission turns Go's mode bits into the ones of inode(7).
func permission(m fs.FileMode) uint32 {
	p := uint32(m.Perm())
	for _, bit := range []struct {
		mode fs.FileMode
		unix uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&bit.mode != 0 {
			p |= bit.unix
		}
	}
	return p
}

func (w *Writer) member(name string, mode, rdev uint32, size int64, r io.Reader) error {
	if size < 0 || size > math.MaxUint32 {
		return fmt.Errorf("cpio: %s has %d MiB, more than the format can say", name, size/mebi)
	}
	w.inode++
	header := "070701"
	for _, field := range []uint32{
		w.inode, mode, 0, 0, 1, 0, uint32(size), // inode, mode, owner, group, links, time, size
		0, 0, rdev >> 8, rdev & 0xff, // device of the file, device that it is
		uint32(len(name) + 1), 0, // length of the name with its NUL, checksum
	} {
		header += fmt.Sprintf("%08X", field)
	}
	if err := w.padded(strings.NewReader(header+name+"\x00"), int64(len(header)+len(name)+1)); err != nil {
		return fmt.Errorf("cpio: %s: %w", name, err)
	}
	if err := w.padded(r, size); err != nil {
		return fmt.Errorf("cpio: %s: %w", name, err)
	}
	return nil
}

// padded copies exactly size bytes, and zeroes up to the next multiple of four.
func (w *Writer) padded(r io.Reader, size int64) error {
	n, err := io.CopyN(w.w, r, size)
	w.written += n
	if err != nil {
		return err
	}
	fill := (4 - w.written%4) % 4
	w.written += fill
	_, err = w.w.Write(make([]byte, fill))
	return err
}
