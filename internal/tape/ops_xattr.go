package tape

// Flistxattr lists the names of an open file's extended attributes. The result is their length, each with its NUL.
func (t *Tape) Flistxattr(fd Arg, buf Ref) Op {
	return t.add(flistxattr, fd, buf.Addr(), Int(buf.Len()))
}

// Fgetxattr reads an extended attribute of an open file. The result is its length.
func (t *Tape) Fgetxattr(fd Arg, name string, buf Ref) Op {
	return t.add(fgetxattr, fd, t.Str(name).Addr(), buf.Addr(), Int(buf.Len()))
}
