package tape

import "github.com/caisson-go/caisson/internal/sys"

// More operations on files and directories, for tapes that serve the host program.

// Fchmod changes the mode of an open file.
func (t *Tape) Fchmod(fd Arg, mode uint32) Op { return t.add(fchmod, fd, Int(int(mode))) }

// Fchmodat2 changes a file's mode, with flags; since Linux 6.6.
func (t *Tape) Fchmodat2(dir Arg, path string, mode uint32, flags int) Op {
	return t.add(fchmodat2, dir, t.Str(path).Addr(), Int(int(mode)), Int(flags))
}

// Renameat2 moves a file.
func (t *Tape) Renameat2(from Arg, path string, to Arg, newPath string, flags int) Op {
	return t.add(renameat2, from, t.Str(path).Addr(), to, t.Str(newPath).Addr(), Int(flags))
}

// RecvFD receives one message of up to 8 bytes and the descriptor that comes with it (unix(7), SCM_RIGHTS), closed
// on exec. The descriptor is the value of the second result; 0 means that there was none.
func (t *Tape) RecvFD(sock Arg) (Op, Arg) {
	iov := t.Words(t.Zero(8).Addr(), Int(8))
	// The kernel shortens the message it is given, so one made for several receptions would not do.
	control := t.Words(Int(0), Int(0), Int(0))
	const lenOfOne = 20 // CMSG_LEN(4): the kernel drops further descriptors
	header := t.Words(Null, Int(0), iov.Addr(), Int(1), control.Addr(), Int(lenOfOne), Int(0))
	return t.add(recvmsg, sock, header.Addr(), Int(sys.MSG_CMSG_CLOEXEC)), control.Field(16)
}
