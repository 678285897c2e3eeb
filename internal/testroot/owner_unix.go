//go:build unix

package testroot

import (
	"fmt"
	"io/fs"
	"syscall"
)

// owner is the numbers of a file that fs.FileInfo does not have: owner, group and device.
func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%d:%d %d", st.Uid, st.Gid, st.Rdev)
}
