package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// NamespaceType is the CLONE_NEW* flag of an open namespace; ioctl_ns(2), NS_GET_NSTYPE.
func NamespaceType(f *os.File) (int, error) {
	var flag int
	err := control(f, "ioctl", func(fd int) (err error) {
		flag, err = unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
		return err
	})
	return flag, err
}

// NamespaceOwner opens the user namespace that owns an open namespace; ioctl_ns(2), NS_GET_USERNS.
func NamespaceOwner(f *os.File) (*os.File, error) {
	var owner int
	err := control(f, "ioctl", func(fd int) (err error) {
		owner, err = unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
		return err
	})
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(owner)
	return os.NewFile(uintptr(owner), "user namespace"), nil
}

// ReplaceSocket puts another socket behind a descriptor that nothing has been done with yet, and gives
// it the options that Go's net package gives its own; dup(2).
func ReplaceSocket(fd int, with *os.File, ipv6, listen bool) error {
	return control(with, "dup3", func(sock int) error {
		if listen {
			if err := unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return err
			}
		}
		if ipv6 {
			only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
			if err != nil {
				return err
			}
			if err := unix.SetsockoptInt(sock, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
				return err
			}
		}
		return unix.Dup3(sock, fd, unix.O_CLOEXEC)
	})
}

// SocketKind is the domain and type of a socket; socket(7), SO_DOMAIN and SO_TYPE.
func SocketKind(fd int) (domain, kind int, err error) {
	domain, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt", err)
	}
	kind, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return domain, kind, os.NewSyscallError("getsockopt", err)
}
