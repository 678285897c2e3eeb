package caisson

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// parseSignal reads a stop signal as images write it: "SIGTERM", "TERM" or "15".
func parseSignal(name string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= 64 {
		return syscall.Signal(n), nil
	}
	upper := strings.ToUpper(name)
	if !strings.HasPrefix(upper, "SIG") {
		upper = "SIG" + upper
	}
	if n := sys.SignalNumber(upper); n != 0 {
		return n, nil
	}
	return 0, &Error{"spec", "StopSignal", fmt.Errorf("no signal %q", shorten(name)), "signal(7) lists them"}
}
