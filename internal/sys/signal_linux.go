package sys

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalNumber is the number of a signal by name, such as SIGTERM, SIGRTMIN or SIGRTMIN+3; 0 if there is
// none. Real-time signals count from 34, as libc's do; signal(7).
func SignalNumber(name string) syscall.Signal {
	const rtmin, rtmax = 34, 64
	if rest, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		n, err := strconv.Atoi(strings.TrimPrefix("0"+rest, "0+"))
		if err == nil && n >= 0 && rtmin+n <= rtmax {
			return syscall.Signal(rtmin + n)
		}
		return 0
	}
	return unix.SignalNum(name)
}
