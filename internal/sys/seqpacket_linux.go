package sys

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Sockets that keep messages apart and carry descriptors; unix(7), SOCK_SEQPACKET.

// SeqpacketPair makes two connected sockets. Reads and writes of the first wait in the network poller;
// the second blocks, as a tape needs it.
func SeqpacketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, err = PollableFile(fds[0], name)
	if err != nil {
		return nil, nil, errors.Join(err, CloseFD(fds[0]), CloseFD(fds[1]))
	}
	return ours, os.NewFile(uintptr(fds[1]), name), nil
}

// SendMessage sends one message, with the descriptor of f if that is not nil.
func SendMessage(s *os.File, b []byte, f *os.File) error {
	if f == nil {
		return sendMessage(s, b, nil)
	}
	// Not f.Fd, which would change the file to block.
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = c.Control(func(fd uintptr) { sent = sendMessage(s, b, unix.UnixRights(int(fd))) })
	if err != nil {
		return err
	}
	return sent
}

func sendMessage(s *os.File, b, rights []byte) error {
	c, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = c.Write(func(to uintptr) bool {
		_, sent = retry(func() (int, error) {
			return unix.SendmsgN(int(to), b, rights, nil, unix.MSG_NOSIGNAL)
		})
		return sent != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendmsg", sent)
}

// ReceiveMessage receives one message, and the descriptor that came with it or -1. The end of the
// connection is io.EOF. A descriptor is closed on exec, and the caller's.
func ReceiveMessage(s *os.File, b []byte) (n, fd int, err error) {
	c, err := s.SyscallConn()
	if err != nil {
		return 0, -1, err
	}
	// Room for one descriptor: the kernel drops what a peer sends beyond.
	oob := make([]byte, unix.CmsgLen(4))
	var got int
	var received error
	err = c.Read(func(from uintptr) bool {
		for {
			n, got, _, _, received = unix.Recvmsg(int(from), b, oob, unix.MSG_CMSG_CLOEXEC)
			if received != unix.EINTR {
				return received != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, -1, err
	case received != nil:
		return 0, -1, os.NewSyscallError("recvmsg", received)
	case n == 0:
		return 0, -1, io.EOF
	}
	fd, err = passed(oob[:got])
	return n, fd, err
}

// passed is the one descriptor in a control message, or -1.
func passed(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	return fds[0], nil
}
