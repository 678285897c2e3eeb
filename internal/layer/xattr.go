package layer

import (
	"archive/tar"
	"maps"
	"slices"
	"strings"
)

// paxXattr is the prefix of the PAX records that carry extended attributes.
const paxXattr = "SCHILY.xattr."

// xattrs returns the names of an entry's extended attributes in a fixed order.
func xattrs(h *tar.Header) []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if name, ok := strings.CutPrefix(key, paxXattr); ok {
			names = append(names, name)
		}
	}
	return names
}

// refuseXattr says why an extended attribute of a layer is not set, or "" if it may be.
//
// The overlay attributes are commands to the kernel (redirect shows another directory, metacopy another file), so
// they never come from an image. Labels and measurements of the host's security modules are the host's. trusted.*
// is for the host's tools. Access control lists hold ids as numbers, which would be the host's ids when owners are
// mapped.
func refuseXattr(name string, o *Options) string {
	switch {
	case strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay."):
		return "overlay attributes never come from an image"
	case name == "security.capability":
		return ""
	case name == "system.posix_acl_access" || name == "system.posix_acl_default":
		if o.IgnoreOwners || o.Owner != nil {
			return "access control lists name ids that are mapped here"
		}
		return ""
	case strings.HasPrefix(name, "user.") && len(name) > len("user.") && len(name) <= maxName:
		return ""
	}
	return "not an attribute an image may set"
}
