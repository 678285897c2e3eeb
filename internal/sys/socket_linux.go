package sys

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Socketpair makes two connected UNIX sockets. Reading from the first waits in the network poller; the
// second is for a child.
func Socketpair() (mine, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "control")
	mine, err = PollableFile(fds[0], "control")
	if err != nil {
		return nil, nil, errors.Join(err, CloseFD(fds[0]), theirs.Close())
	}
	return mine, theirs, nil
}

// ReceiveFD receives one byte, and the descriptor that came with it or nil. At the end of the
// connection it returns io.EOF.
func ReceiveFD(sock *os.File) (byte, *os.File, error) {
	c, err := sock.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	var n, oobn int
	var received error
	err = c.Read(func(fd uintptr) bool {
		n, received = retry(func() (int, error) {
			n, o, _, _, err := unix.Recvmsg(int(fd), buf, oob, unix.MSG_CMSG_CLOEXEC)
			oobn = o
			return n, err
		})
		return !errors.Is(received, unix.EAGAIN)
	})
	if err = firstError(err, os.NewSyscallError("recvmsg", received)); err != nil {
		return 0, nil, err
	}
	if n == 0 {
		return 0, nil, io.EOF
	}
	f, err := rights(oob[:oobn])
	return buf[0], f, err
}

func rights(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) == 0 {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) == 0 {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	for _, fd := range fds[1:] {
		_ = unix.Close(fd)
	}
	return PollableFile(fds[0], "received")
}
