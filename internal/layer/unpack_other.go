//go:build !linux

package layer

import (
	"context"
	"errors"
	"io"
	"os"
)

// Supported reports whether this system can unpack layers.
const Supported = false

// Defaults returns the zero Options.
func Defaults() Options { return Options{} }

// Unpack needs Linux.
func Unpack(ctx context.Context, dst *os.File, r io.Reader, o Options) (Stats, error) {
	return Stats{}, &Error{Op: "unpack", Err: errors.ErrUnsupported, Hint: "layers are unpacked on Linux only"}
}

// RemoveAll removes name and everything below it from the directory dir.
func RemoveAll(dir *os.File, name string) error {
	root, err := os.OpenRoot(dir.Name())
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(name)
}

// RemoveAllAs is RemoveAll.
func RemoveAllAs(dir *os.File, name string, o Options) error { return RemoveAll(dir, name) }
