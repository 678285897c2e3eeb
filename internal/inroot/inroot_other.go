//go:build !linux

package inroot

import (
	"errors"
	"io/fs"
	"os"
)

func unsupported(op, path string) error {
	return &fs.PathError{Op: op, Path: path, Err: errors.ErrUnsupported}
}

// Open needs openat2(2), which only Linux has.
func Open(root *os.File, path string, flags int, mode uint32) (*os.File, error) {
	return nil, unsupported("open in root", path)
}

// ReadFile needs openat2(2), which only Linux has.
func ReadFile(root *os.File, path string, max int64) ([]byte, error) {
	return nil, unsupported("read in root", path)
}

// MkdirAll needs openat2(2), which only Linux has.
func MkdirAll(root *os.File, path string, mode uint32) (*os.File, error) {
	return nil, unsupported("mkdir in root", path)
}

// Lstat needs openat2(2), which only Linux has.
func Lstat(root *os.File, path string) (fs.FileInfo, error) {
	return nil, unsupported("lstat in root", path)
}

// Readlink needs openat2(2), which only Linux has.
func Readlink(root *os.File, path string) (string, error) {
	return "", unsupported("readlink in root", path)
}
