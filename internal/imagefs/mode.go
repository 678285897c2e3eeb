package imagefs

import (
	"archive/tar"
	"io/fs"
)

// The bits of a mode beside the permissions; inode(7).
const (
	setUID = 0o4000
	setGID = 0o2000
	sticky = 0o1000
)

// fileMode is the mode of an entry. Package tar's own reading takes the type from the mode field too, where a hostile
// layer may have put another.
func fileMode(h *tar.Header) fs.FileMode {
	m := fs.FileMode(h.Mode & 0o777)
	if h.Mode&setUID != 0 {
		m |= fs.ModeSetuid
	}
	if h.Mode&setGID != 0 {
		m |= fs.ModeSetgid
	}
	if h.Mode&sticky != 0 {
		m |= fs.ModeSticky
	}
	switch h.Typeflag {
	case tar.TypeDir:
		m |= fs.ModeDir
	case tar.TypeSymlink:
		m |= fs.ModeSymlink
	case tar.TypeFifo:
		m |= fs.ModeNamedPipe
	case tar.TypeBlock:
		m |= fs.ModeDevice
	case tar.TypeChar:
		m |= fs.ModeDevice | fs.ModeCharDevice
	}
	return m
}

// tarMode is the mode field of a tar header.
func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= setUID
	}
	if m&fs.ModeSetgid != 0 {
		mode |= setGID
	}
	if m&fs.ModeSticky != 0 {
		mode |= sticky
	}
	return mode
}

// typeFlag is the kind of a file as tar has it.
func typeFlag(m fs.FileMode) byte {
	switch m.Type() {
	case fs.ModeDir:
		return tar.TypeDir
	case fs.ModeSymlink:
		return tar.TypeSymlink
	case fs.ModeNamedPipe:
		return tar.TypeFifo
	case fs.ModeDevice:
		return tar.TypeBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		return tar.TypeChar
	}
	return tar.TypeReg
}
