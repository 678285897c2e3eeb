package tape

// Readlinkat reads a symbolic link. The result is the length; there is no NUL.
func (t *Tape) Readlinkat(dir Arg, path string, buf Ref) Op {
	return t.add(readlinkat, dir, t.Str(path).Addr(), buf.Addr(), Int(buf.Len()))
}

// Statx describes a file; buf takes the 256 bytes of struct statx.
func (t *Tape) Statx(dir Arg, path string, flags, mask int, buf Ref) Op {
	return t.add(statx, dir, t.Str(path).Addr(), Int(flags), Int(mask), buf.Addr())
}
