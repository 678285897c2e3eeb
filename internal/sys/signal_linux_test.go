package sys

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignalNumbers(t *testing.T) {
	for n := syscall.Signal(1); n < 32; n++ {
		if name := unix.SignalName(n); SignalNumber(name) != n {
			t.Errorf("%s is %d, want %d", name, SignalNumber(name), n)
		}
	}
	for name, want := range map[string]syscall.Signal{
		"SIGIOT": unix.SIGIOT, "SIGCLD": unix.SIGCLD, "SIGPOLL": unix.SIGPOLL,
		"SIGRTMIN": 34, "SIGRTMIN+0": 34, "SIGRTMIN+3": 37, "SIGRTMIN+30": 64, "SIGRTMAX": 64, "SIGRTMAX-1": 63, "SIGRTMAX-30": 34,
		"SIGRTMIN+31": 0, "SIGRTMIN3": 0, "SIGRTMIN-1": 0, "SIGRTMAX-31": 0, "SIGRTMIN+": 0, "SIGRTMIN++1": 0,
		"": 0, "SIG": 0, "TERM": 0, "SIGterm": 0, "SIGNONE": 0,
	} {
		if got := SignalNumber(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
