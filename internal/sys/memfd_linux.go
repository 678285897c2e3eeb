package sys

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memfd makes an anonymous file in memory that may be executed, and is closed on exec.
//
// MFD_EXEC says so outright since 6.3 and is EINVAL before, where every memfd may be executed.
// With the sysctl vm.memfd_noexec=2 the kernel refuses with EACCES; memfd_create(2).
func memfd(name string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	return fd, os.NewSyscallError("memfd_create", err)
}

// Memfd makes an anonymous file in memory, open for reading and writing, that may be executed once no descriptor is
// open for writing.
func Memfd(name string) (*os.File, error) {
	fd, err := memfd(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Seal forbids for ever to write, grow or shrink a memfd, or to lift the seals; fcntl(2), F_ADD_SEALS.
func Seal(f *os.File) error { return control(f, "fcntl", seal) }

func seal(fd int) error {
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}

// Sealed makes a program of its contents: an anonymous file that nobody can change any more, open for reading and
// executing, and closed on exec. Errors as Memfd's.
func Sealed(name string, contents []byte) (*os.File, error) {
	fd, err := memfd(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // what is open for writing cannot be executed: ETXTBSY, execve(2)
	for left := contents; len(left) > 0; {
		n, err := retry(func() (int, error) { return unix.Write(fd, left) })
		if err != nil {
			return nil, os.NewSyscallError("write", err)
		}
		left = left[n:]
	}
	if err := seal(fd); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return OpenBlocking("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY)
}

// SharedMemory makes an anonymous file of a fixed size in memory, for mapping, that cannot be executed
// where the kernel can say so.
func SharedMemory(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Reopen opens the same file again with other flags, through /proc/self/fd.
func Reopen(f *os.File, flags int) (*os.File, error) { return OpenBlocking(FDPath(f), flags) }

// TempFile makes a file without a name in dir; open(2), O_TMPFILE.
func TempFile(dir string, mode uint32) (*os.File, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}
