package layer

import "strings"

// The names with a meaning of their own, from the image specification ("Whiteouts").
const (
	whiteoutPrefix = ".wh."
	metaPrefix     = ".wh..wh." // aufs kept its own files under such names
	opaqueMarker   = ".wh..wh..opq"
)

// kind is what the name of an entry says about it.
type kind int

const (
	kindPlain    kind = iota
	kindWhiteout      // hides base in the layers below
	kindOpaque        // hides everything of dir in the layers below
	kindIgnored       // bookkeeping of aufs
)

// entryName is a parsed name. Both parts are relative to the layer's root and free of "." and "..".
type entryName struct {
	dir  string // parent directory; "" is the root
	base string // one component; "" for the root itself and for kindOpaque
	kind kind
	full string // both joined, if that is a part of the name as it was given; or ""
}

// parseName reads the name of an entry. Leading slashes and "./" are dropped, as every unpacker does. A ".." is
// refused, not resolved: whether "a/../b" means b depends on what a is, so no honest builder writes it.
func parseName(name string, l Limits) (entryName, error) {
	if len(name) > l.Path {
		return entryName{}, &LimitError{"bytes in a path", int64(l.Path)}
	}
	if name == "" || strings.ContainsRune(name, 0) {
		return entryName{}, ErrName
	}
	if n, ok := plainName(name, l); ok {
		return n, nil
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return entryName{}, ErrName
		case len(part) > maxName:
			return entryName{}, &LimitError{"bytes in a path component", maxName}
		}
		if parts = append(parts, part); len(parts) > l.Depth {
			return entryName{}, &LimitError{"components in a path", int64(l.Depth)}
		}
	}
	if len(parts) == 0 {
		return entryName{}, nil // the root
	}
	last := len(parts) - 1
	n := entryName{dir: strings.Join(parts[:last], "/"), base: parts[last]}
	return n.classify(parts[:last])
}

// plainName reads a name as most are: nothing in it has a meaning, and nothing has to be left out.
func plainName(name string, l Limits) (n entryName, ok bool) {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	depth, start := 1, 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if i == start || i-start > maxName || name[start] == '.' && unusual(name[start:i]) {
			return n, false
		}
		if i < len(name) {
			depth, start = depth+1, i+1
		}
	}
	if depth > l.Depth {
		return n, false
	}
	return entryName{dir: name[:max(start-1, 0)], base: name[start:], full: name}, true
}

// unusual reports a component that is not simply a name.
func unusual(part string) bool {
	return part == "." || part == ".." || strings.HasPrefix(part, whiteoutPrefix)
}

// classify finds the whiteouts. parents are the components of n.dir.
func (n entryName) classify(parents []string) (entryName, error) {
	for _, p := range parents {
		if strings.HasPrefix(p, metaPrefix) {
			n.kind = kindIgnored
			return n, nil
		}
		if strings.HasPrefix(p, whiteoutPrefix) {
			return n, ErrName
		}
	}
	hidden, isWhiteout := strings.CutPrefix(n.base, whiteoutPrefix)
	switch {
	case !isWhiteout:
	case n.base == opaqueMarker:
		n.base, n.kind = "", kindOpaque
	case strings.HasPrefix(n.base, metaPrefix):
		n.kind = kindIgnored
	case hidden == "" || hidden == "." || hidden == "..":
		return n, ErrName
	default:
		n.base, n.kind = hidden, kindWhiteout
	}
	return n, nil
}

// join adds a component to a path, which is empty for the root.
func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}
