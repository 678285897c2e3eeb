package sys

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signals are Linux's names of the numbers from 1 on, which amd64 and arm64 share; asm-generic/signal.h, signal(7).
// They are here for plans that are made where there is no Linux.
var signals = []string{
	"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
	"PWR", "SYS",
}

// aliases are second names.
var aliases = map[string]string{"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO"}

// Real-time signals as libc counts them, which keeps the kernel's first two to itself; signal(7).
const rtmin, rtmax = 34, 64

// SignalNumber is Linux's number of a signal by name, such as SIGTERM, SIGRTMIN+3 or SIGRTMAX-1; 0 if there is none.
func SignalNumber(name string) syscall.Signal {
	name, ok := strings.CutPrefix(name, "SIG")
	if !ok {
		return 0
	}
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		return realTime(rtmin, rest, "+")
	}
	if rest, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return realTime(rtmax, rest, "-")
	}
	if first, ok := aliases[name]; ok {
		name = first
	}
	return syscall.Signal(slices.Index(signals, name) + 1)
}

// realTime is a number that counts from one end of the range, up or down.
func realTime(from int, rest, sign string) syscall.Signal {
	n, err := strconv.ParseUint(strings.TrimPrefix(rest, sign), 10, 8)
	switch {
	case rest == "":
		return syscall.Signal(from)
	case err != nil || !strings.HasPrefix(rest, sign) || n > rtmax-rtmin:
		return 0
	case sign == "-":
		return syscall.Signal(from - int(n))
	}
	return syscall.Signal(from + int(n))
}
