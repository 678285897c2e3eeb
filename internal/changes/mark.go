package changes

import "strings"

// marks are what overlayfs has noted at a directory or file of a layer, in extended attributes of its own.
// Kernel: Documentation/filesystems/overlayfs.rst; fs/overlayfs/overlayfs.h.
type marks struct{ opaque, redirect, metacopy bool }

// prefix is where overlayfs keeps its attributes.
func (t *Tree) prefix() string {
	if t.UserXattr {
		return "user.overlay."
	}
	return "trusted.overlay."
}

// isMark tells the attributes that change what the overlay shows.
func isMark(name, prefix string) bool {
	what, ok := strings.CutPrefix(name, prefix)
	return ok && (what == "opaque" || what == "redirect" || what == "metacopy")
}

func readMarks(list []Xattr, prefix string) (m marks) {
	for _, x := range list {
		switch x.Name {
		case prefix + "opaque":
			m.opaque = string(x.Value) == "y"
		case prefix + "redirect":
			m.redirect = true
		case prefix + "metacopy":
			m.metacopy = true
		}
	}
	return m
}
