package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Syncfs is syncfs(2): everything written to the file system that f lies on is on stable storage when it
// returns. Since 5.8 it reports the write errors of files that were closed before.
func Syncfs(f *os.File) error {
	err := again(func() error { return unix.Syncfs(int(f.Fd())) })
	return os.NewSyscallError("syncfs", err)
}
