package treediff

import (
	"fmt"
	"maps"
	"slices"
)

// Difference is one thing that two trees disagree on.
type Difference struct {
	Path string
	What string // "missing", "extra", "kind", "mode", "owner", "time", "device", "target", "content", "xattr NAME", "opaque" or "link"
	A, B string // what each tree has
}

func (d Difference) String() string {
	return fmt.Sprintf("%q: %s: %s, and %s", d.Path, d.What, d.A, d.B)
}

// Diff lists what differs, in the order of paths. Of a path that only one tree has, or has as another kind, only that is
// told.
func Diff(a, b Tree) []Difference {
	paths := slices.Collect(maps.Keys(a))
	for p := range b {
		if _, both := a[p]; !both {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var out []Difference
	for _, p := range paths {
		x, inA := a[p]
		y, inB := b[p]
		switch {
		case !inB:
			out = append(out, Difference{p, "missing", x.Kind.String(), "nothing"})
		case !inA:
			out = append(out, Difference{p, "extra", "nothing", y.Kind.String()})
		default:
			out = append(out, entries(p, x, y)...)
		}
	}
	return out
}

// entries compares what both trees have at a path.
func entries(path string, a, b Entry) []Difference {
	if a.Kind != b.Kind {
		return []Difference{{path, "kind", a.Kind.String(), b.Kind.String()}}
	}
	if a.Kind == Whiteout {
		return nil // it has no owner, time or mode of which an image knows
	}
	var out []Difference
	check := func(what string, same bool, x, y any) {
		if !same {
			out = append(out, Difference{path, what, fmt.Sprint(x), fmt.Sprint(y)})
		}
	}
	check("mode", a.Mode == b.Mode, fmt.Sprintf("%#o", a.Mode), fmt.Sprintf("%#o", b.Mode))
	check("owner", a.UID == b.UID && a.GID == b.GID, fmt.Sprint(a.UID, ":", a.GID), fmt.Sprint(b.UID, ":", b.GID))
	check("time", a.Time.Equal(b.Time), a.Time.UTC(), b.Time.UTC())
	check("device", a.Device == b.Device, a.Device, b.Device)
	check("target", a.Target == b.Target, a.Target, b.Target)
	check("content", a.Size == b.Size && a.Sum == b.Sum, fmt.Sprint(a.Size, " bytes ", a.Sum), fmt.Sprint(b.Size, " bytes ", b.Sum))
	check("opaque", a.Opaque == b.Opaque, a.Opaque, b.Opaque)
	check("link", a.Link == b.Link, a.Link, b.Link)
	names := slices.Collect(maps.Keys(a.Xattrs))
	for n := range b.Xattrs {
		if _, both := a.Xattrs[n]; !both {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		x, inA := a.Xattrs[n]
		y, inB := b.Xattrs[n]
		check("xattr "+n, inA == inB && x == y, attribute(x, inA), attribute(y, inB))
	}
	return out
}

func attribute(value string, there bool) string {
	if !there {
		return "none"
	}
	return fmt.Sprintf("%q", value)
}
