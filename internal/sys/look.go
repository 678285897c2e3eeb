package sys

import "encoding/binary"

// Time is a time stamp of a file, in seconds and nanoseconds since 1970.
type Time struct{ Sec, Nsec int64 }

// Look is what statx(2) tells of a file, as much of it as an archive keeps.
type Look struct {
	Dev, Ino     uint64 // together the identity of the file while it exists
	Nlink        uint32
	Mode         uint32 // type and permission bits
	UID, GID     uint32
	Major, Minor uint32 // of a device
	Size         int64  // in bytes
	Blocks       int64  // allocated, in units of 512 bytes
	Mtime, Ctime Time
}

// The file types in Look.Mode; inode(7).
const (
	S_IFMT   = 0xf000
	S_IFSOCK = 0xc000
	S_IFLNK  = 0xa000
	S_IFDIR  = 0x4000
)

// Type is the type alone, one of S_IFMT.
func (l *Look) Type() uint32 { return l.Mode & S_IFMT }

// IsWhiteout reports what overlayfs takes for a removed name: a character device 0:0.
// Kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
func (l *Look) IsWhiteout() bool { return l.Type() == S_IFCHR && l.Major == 0 && l.Minor == 0 }

// Same reports two looks at one file.
func (l *Look) Same(o *Look) bool { return l.Dev == o.Dev && l.Ino == o.Ino }

// StatxSize is the size of struct statx, and StatxMask what a Look needs of it (STATX_BASIC_STATS).
const (
	StatxSize = 256
	StatxMask = 0x7ff
)

// DecodeStatx reads the buffer that statx(2) has filled. The structure is the same on every architecture.
func DecodeStatx(b []byte) Look {
	_ = b[StatxSize-1]
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	stamp := func(at int) Time { return Time{int64(u64(at)), int64(u32(at + 8))} }
	return Look{
		Nlink: u32(0x10), UID: u32(0x14), GID: u32(0x18), Mode: uint32(binary.NativeEndian.Uint16(b[0x1c:])),
		Ino: u64(0x20), Size: int64(u64(0x28)), Blocks: int64(u64(0x30)),
		Ctime: stamp(0x60), Mtime: stamp(0x70), Major: u32(0x80), Minor: u32(0x84),
		Dev: uint64(u32(0x88))<<32 | uint64(u32(0x8c)),
	}
}
