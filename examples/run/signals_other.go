//go:build !unix

package main

import (
	"os"
	"syscall"
)

var (
	forwarded = []os.Signal{os.Interrupt, terminate}
	resized   os.Signal
)

const terminate = syscall.SIGTERM
