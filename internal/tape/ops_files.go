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

// Rights is a descriptor to send that an earlier operation stores.
type Rights struct{ control Ref }

// Rights makes the place for a descriptor to send with SendRights: use FD with To, and as an argument.
func (t *Tape) Rights() Rights {
	const lenOfOne = 20 // CMSG_LEN(4)
	return Rights{t.Words(Int(lenOfOne), Uint(sys.SOL_SOCKET|sys.SCM_RIGHTS<<32), Int(0))}
}

// FD is the word of the descriptor.
func (r Rights) FD() Arg { return r.control.Field(16) }

// SendRights sends the bytes of msg and the descriptor that was stored in r. Unlike SendFD it makes no copy of the
// descriptor, so that closing it closes all that the process has of it.
func (t *Tape) SendRights(sock Arg, msg string, r Rights) Op {
	iov := t.Words(t.Str(msg).Addr(), Int(len(msg)))
	header := t.Words(Null, Int(0), iov.Addr(), Int(1), r.control.Addr(), Int(r.control.Len()), Int(0))
	return t.add(sendmsg, sock, header.Addr(), Int(sys.MSG_NOSIGNAL))
}
