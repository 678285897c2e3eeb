package imagefs

// place is a directory by its name in another. Millions of files may be listed at once, and each has the whole of its
// path only while it is written.
type place struct {
	in   *place // nil: this is the root
	base string
}

// named is a file under one of its names.
type named struct {
	node *node
	in   *place // nil: this is the root
	base string
	turn int // which of the regular files it was, in the order of the names
}

// path is the name from the root on, "." for the root.
func (f *named) path() string {
	if f.in == nil {
		return "."
	}
	size := len(f.base)
	for p := f.in; p.in != nil; p = p.in {
		size += len(p.base) + 1
	}
	path := make([]byte, size)
	at := size - copy(path[size-len(f.base):], f.base)
	for p := f.in; p.in != nil; p = p.in {
		at--
		path[at] = '/'
		at -= copy(path[at-len(p.base):], p.base)
	}
	return string(path)
}
