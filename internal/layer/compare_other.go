//go:build !linux

package layer

import (
	"context"
	"errors"
	"io"
	"os"
)

// Compare needs Linux.
func Compare(ctx context.Context, dir *os.File, r io.Reader, o Options, made Stats) (Comparison, error) {
	return Comparison{}, &Error{Op: "compare", Err: errors.ErrUnsupported, Hint: "layers are unpacked on Linux only"}
}
