//go:build unix

package sys

import (
	"os"
	"syscall"
)

// OwnedByCaller reports whether the file belongs to the effective user of this process.
func OwnedByCaller(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
