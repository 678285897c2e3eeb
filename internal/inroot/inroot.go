package inroot

import (
	"fmt"
	"io/fs"
)

// TooLargeError reports a file with more bytes than the caller takes.
type TooLargeError struct {
	Path string // as given, inside the root
	Size int64  // the file's size; -1 if it grew while it was read
	Max  int64  // the most bytes the caller takes
}

// Error names the file, its size and the limit.
func (e *TooLargeError) Error() string {
	size := fmt.Sprintf("has %d bytes", e.Size)
	if e.Size < 0 {
		size = "grew while it was read"
	}
	return fmt.Sprintf("read %q in root: file %s, more than the limit of %d; make it smaller in the image", e.Path, size, e.Max)
}

// NotRegularError reports a directory, device, FIFO or socket where a regular file is required.
type NotRegularError struct {
	Path string      // as given, inside the root
	Mode fs.FileMode // its type bits say what was found
}

// Error names the file and what it is.
func (e *NotRegularError) Error() string {
	return fmt.Sprintf("read %q in root: it is a %s, not a regular file; replace it in the image", e.Path, kind(e.Mode))
}

// kind names a file type in words.
func kind(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "directory"
	case fs.ModeNamedPipe:
		return "FIFO"
	case fs.ModeSocket:
		return "socket"
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return "device"
	case fs.ModeSymlink:
		return "symbolic link"
	}
	return "special file"
}
