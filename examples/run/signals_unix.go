//go:build unix

package main

import (
	"os"
	"syscall"
)

// forwarded are the signals that somebody sends to this program and means the one in the container; resized comes from
// the terminal when its window has changed.
var (
	forwarded           = []os.Signal{syscall.SIGHUP, os.Interrupt, syscall.SIGQUIT, terminate, syscall.SIGUSR1, syscall.SIGUSR2}
	resized   os.Signal = syscall.SIGWINCH
)

const terminate = syscall.SIGTERM
