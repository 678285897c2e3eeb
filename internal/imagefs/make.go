package imagefs

import (
	"archive/tar"
	"fmt"
	"strings"

	"github.com/caisson-go/caisson/internal/layer"
)

// paxXattr is the prefix of the PAX records that carry extended attributes.
const paxXattr = "SCHILY.xattr."

// make makes the node of a plain entry. data is where its content begins, or for a sparse file its header.
func (s *scan) make(n layer.EntryName, h *tar.Header, data int64) error {
	switch h.Typeflag {
	case tar.TypeLink:
		return s.hardLink(n, h)
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeDir, tar.TypeSymlink, tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
	default:
		return fmt.Errorf("type %q: %w", h.Typeflag, layer.ErrType)
	}
	if h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0 {
		return nil // a raw whiteout of overlayfs never comes from an image
	}
	made, err := s.node(h)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		made.dir = &directory{byName: map[string]*node{}}
		return s.putDirectory(n, made)
	}
	if made.mode.IsRegular() {
		made.size, made.at = h.Size, data
		if isSparse(h) {
			made.state |= hasHoles
		}
	}
	return s.put(n, made)
}

// node takes from a header what is kept of it. Strings are copied: they would keep the whole header in memory.
func (s *scan) node(h *tar.Header) (*node, error) {
	made := &node{mode: fileMode(h), layer: s.layer, sec: s.sec, nsec: s.nsec}
	var err error
	if made.owner, err = s.owner(h); err != nil {
		return nil, err
	}
	var e extra
	switch h.Typeflag {
	case tar.TypeSymlink:
		if h.Linkname == "" || strings.ContainsRune(h.Linkname, 0) {
			return nil, fmt.Errorf("symbolic link: %w", layer.ErrName)
		}
		if len(h.Linkname) > s.limits.Path {
			return nil, &layer.LimitError{What: "bytes in a link target", Max: int64(s.limits.Path)}
		}
		e.target = strings.Clone(h.Linkname)
	case tar.TypeChar, tar.TypeBlock:
		e.major, e.minor = h.Devmajor, h.Devminor
	}
	for k, v := range h.PAXRecords {
		if !strings.HasPrefix(k, paxXattr) {
			continue
		}
		if e.xattrs == nil {
			e.xattrs = map[string]string{}
		}
		e.xattrs[strings.Clone(k)] = strings.Clone(v)
	}
	if e.target != "" || e.xattrs != nil || e.major != 0 || e.minor != 0 {
		made.extra = &e
	}
	return made, nil
}

// owner returns the one value for all files with the owner.
func (s *scan) owner(h *tar.Header) (*owner, error) {
	const none = 1<<32 - 1 // what chown(2) takes for "leave as it is"
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= none || int64(h.Gid) >= none {
		return nil, layer.ErrOwner
	}
	key := owner{h.Uid, h.Gid, h.Uname, h.Gname}
	if o := s.owners[key]; o != nil {
		return o, nil
	}
	key.uname, key.gname = strings.Clone(h.Uname), strings.Clone(h.Gname)
	s.owners[key] = &key
	return &key, s.budget.takeText(len(h.Uname) + len(h.Gname))
}

// hardLink gives a file of this layer another name. Its look is that of the file, whatever the entry says.
func (s *scan) hardLink(n layer.EntryName, h *tar.Header) error {
	target, err := layer.ParseEntryName(h.Linkname, s.limits)
	if err == nil && (target.Kind != layer.PlainEntry || target.Base == "") {
		err = layer.ErrName
	}
	if err == nil {
		err = s.link(n, target)
	}
	if err != nil {
		return fmt.Errorf("hard link to %.300q: %w", h.Linkname, err)
	}
	return nil
}
