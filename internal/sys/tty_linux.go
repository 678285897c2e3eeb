package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// SetWinsize sets the size of a terminal; ioctl_tty(2), TIOCSWINSZ.
func SetWinsize(tty *os.File, rows, cols uint16) error {
	return control(tty, "ioctl", func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
}

// control runs a system call on a file's descriptor without taking it from the network poller.
func control(f *os.File, name string, call func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var called error
	if err := c.Control(func(fd uintptr) { called = os.NewSyscallError(name, call(int(fd))) }); err != nil {
		return err
	}
	return called
}
