package inroot

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// firstRead bounds what is allocated on the word of fstat alone.
const firstRead = 1 << 20

// ReadFile reads the regular file that path inside root leads to, links followed, of at most max bytes.
//
// Errors: *TooLargeError, *NotRegularError, else *fs.PathError as from Open. A file that is regular only in name
// and would make the reader wait, as some of /proc do, is EAGAIN.
func ReadFile(root *os.File, path string, max int64) ([]byte, error) {
	// Opening a device can already act (a tape rewinds, a watchdog arms), so ask first without opening. The file
	// may be exchanged before it is opened, hence the second question, of what was really opened.
	if err := checkType(root, path); err != nil {
		return nil, err
	}
	f, err := open(root, path, sys.O_RDONLY, 0, resolve)
	if err != nil {
		return nil, readError(path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return nil, readError(path, err)
	case !fi.Mode().IsRegular():
		return nil, &NotRegularError{Path: path, Mode: fi.Mode()}
	case fi.Size() > max:
		return nil, &TooLargeError{Path: path, Size: fi.Size(), Max: max}
	}
	if err := refuseProc(f); err != nil {
		return nil, readError(path, err)
	}
	data, err := readAll(f, fi.Size(), max)
	if err != nil {
		return nil, readError(path, err)
	}
	if int64(len(data)) > max {
		return nil, &TooLargeError{Path: path, Size: -1, Max: max}
	}
	return data, nil
}

// errProc is what a file of /proc is refused with: it tells about its reader, who is not in the root.
var errProc = errors.New("a file of /proc is about the process that reads it")

func refuseProc(f *os.File) error {
	return withFD(f, func(fd int) error {
		if sys.OnProc(fd) {
			return errProc
		}
		return nil
	})
}

func checkType(root *os.File, path string) error {
	f, err := open(root, path, sys.O_PATH, 0, resolve)
	if err != nil {
		return readError(path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return readError(path, err)
	}
	if !fi.Mode().IsRegular() {
		return &NotRegularError{Path: path, Mode: fi.Mode()}
	}
	return nil
}

// readAll reads to the end of f, or just beyond max. It does not use f.Read, which would wait without an end for
// a file that poll(2) knows, such as /proc/kmsg.
func readAll(f *os.File, size, max int64) ([]byte, error) {
	buf := make([]byte, 0, min(size, firstRead)+1) // the spare byte meets the end without growing
	for int64(len(buf)) <= max {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n := 0
		err := withFD(f, func(fd int) (err error) {
			n, err = sys.Read(fd, buf[len(buf):cap(buf)])
			return err
		})
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		buf = buf[:len(buf)+n]
	}
	return buf, nil
}

func readError(path string, err error) error {
	if pe, ok := err.(*fs.PathError); ok { // from Stat; its path is ours with the root's name before it
		err = pe.Err
	}
	if err == syscall.EISDIR {
		return &NotRegularError{Path: path, Mode: fs.ModeDir}
	}
	return &fs.PathError{Op: "read in root", Path: path, Err: err}
}
