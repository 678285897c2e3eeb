package changes

import (
	"encoding/binary"
	"math"
	"slices"
)

// owner is who owns a file in the container.
func (t *Tree) owner(l *Looked) (uid, gid int, err error) {
	if l.Mapped || t.Owner == nil {
		return int(l.UID), int(l.GID), nil
	}
	return t.Owner(int(l.UID), int(l.GID))
}

// inContainer makes the value of a file's attribute one that a layer can have. It is nil if there is none. Ids in it are
// mapped together with the owner or group of the file, which have a place in the container.
func (t *Tree) inContainer(x Xattr, l *Looked) ([]byte, error) {
	switch x.Name {
	case "security.capability":
		return t.capability(x, l), nil
	case "system.posix_acl_access", "system.posix_acl_default":
		if !x.Mapped && !l.Mapped && t.Owner != nil {
			return t.acl(x.Value, l)
		}
	}
	return x.Value, nil
}

// The attribute security.capability; linux/capability.h, struct vfs_ns_cap_data.
const (
	capRevision = 0xff000000
	capV2       = 0x02000000
	capV3       = 0x03000000
	capV2Size   = 20
	capV3Size   = 24 // with the user that is root in the namespace where they count
)

// capability turns file capabilities that count in a user namespace into such as count everywhere, as the kernel does
// for who lives in that namespace. Those of another namespace mean nothing to the container.
func (t *Tree) capability(x Xattr, l *Looked) []byte {
	v := x.Value
	if len(v) < 4 {
		return nil
	}
	magic := binary.LittleEndian.Uint32(v)
	if magic&capRevision != capV3 || len(v) != capV3Size {
		return v
	}
	root := int(binary.LittleEndian.Uint32(v[capV2Size:]))
	if !x.Mapped && t.Owner != nil {
		var err error
		if root, _, err = t.Owner(root, int(l.GID)); err != nil {
			return nil
		}
	}
	if root != 0 {
		return nil
	}
	out := slices.Clone(v[:capV2Size])
	binary.LittleEndian.PutUint32(out, capV2|magic&^capRevision)
	return out
}

// An access control list as an attribute: a version, then entries of a tag, permissions and an id;
// linux/posix_acl_xattr.h.
const (
	aclHeader, aclEntry = 4, 8
	aclUser, aclGroup   = 0x02, 0x08
)

// acl maps the ids in an access control list.
func (t *Tree) acl(v []byte, l *Looked) ([]byte, error) {
	if len(v) < aclHeader || (len(v)-aclHeader)%aclEntry != 0 {
		return nil, nil
	}
	out := slices.Clone(v)
	for e := out[aclHeader:]; len(e) > 0; e = e[aclEntry:] {
		id := binary.LittleEndian.Uint32(e[4:])
		if id == math.MaxUint32 {
			continue
		}
		var n int
		var err error
		switch binary.LittleEndian.Uint16(e) {
		case aclUser:
			n, _, err = t.Owner(int(id), int(l.GID))
		case aclGroup:
			_, n, err = t.Owner(int(l.UID), int(id))
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		binary.LittleEndian.PutUint32(e[4:], uint32(n))
	}
	return out, nil
}
