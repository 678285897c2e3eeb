package tape

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// File is the program as an open, read-only file to execute: a memfd, sealed, so that nobody can write
// to a program that runs (the attack of CVE-2019-5736); and where the host forbids executable memfds
// (vm.memfd_noexec=2), a file without a name in dir. It is closed on exec.
func (p *Program) File(dir string) (*os.File, error) {
	// The writable descriptor must be gone before exec: ETXTBSY, execve(2). Closing ours is not enough: a
	// child that another goroutine forks now would hold a copy until it executes.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := sys.Sealed("caisson", p.ELF())
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOSYS) {
		return f, err
	}
	if f, err = sys.TempFile(dir, 0o500); errors.Is(err, fs.ErrNotExist) {
		f, err = sys.TempFile(os.TempDir(), 0o500) // dir may not have been needed before
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(p.ELF()); err != nil {
		return nil, fmt.Errorf("write program: %w", err)
	}
	return sys.Reopen(f, os.O_RDONLY)
}
