package sys

import (
	"golang.org/x/sys/unix"
)

// Born is when a file was made, which with its number tells it from every other that will have the number; the zero
// time where the filesystem does not keep it. statx(2), since 4.11.
func Born(fd int) (Time, error) {
	var st unix.Statx_t
	err := again(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st) })
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return Time{}, err
	}
	return Time{st.Btime.Sec, int64(st.Btime.Nsec)}, nil
}
