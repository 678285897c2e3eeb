package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Map maps the first size bytes of a file to read and write, shared with everybody who maps it; mmap(2).
func Map(f *os.File, size int) ([]byte, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return b, os.NewSyscallError("mmap", err)
}

// Unmap gives a mapping back. Touching it afterwards is a fault of the whole process.
func Unmap(b []byte) error { return os.NewSyscallError("munmap", unix.Munmap(b)) }
