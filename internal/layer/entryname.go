package layer

// EntryKind is what the name of a tar entry says about it; image specification, "Whiteouts".
type EntryKind int

// The kinds of names.
const (
	PlainEntry    EntryKind = iota
	WhiteoutEntry           // hides Base in the layers below
	OpaqueEntry             // hides everything that the layers below have in Dir
	IgnoredEntry            // bookkeeping of aufs, not part of the image
)

// EntryName is the parsed name of a tar entry. Both parts are relative to the layer's root and free of "." and "..".
type EntryName struct {
	Dir  string // parent directory; "" is the root
	Base string // one component; "" for the root itself and for OpaqueEntry
	Kind EntryKind
}

// ParseEntryName reads the name of a tar entry by the rules that Unpack has, for those who read a layer without
// unpacking it. Zero limits have their defaults. Errors: ErrName, *LimitError.
func ParseEntryName(name string, l Limits) (EntryName, error) {
	n, err := parseName(name, l.withDefaults())
	return EntryName{n.dir, n.base, EntryKind(n.kind)}, err
}

// WithDefaults fills in what is zero, and bounds the rest by what the kernel takes.
func (l Limits) WithDefaults() Limits { return l.withDefaults() }
