package main

import (
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/caisson-go/caisson"
)

// connect gives the container this program's standard files, or a terminal. It returns what puts this program's own
// terminal back.
func connect(c *caisson.Container, o *options) (restore func(), err error) {
	restore = func() {}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if o.interactive {
		c.Stdin = os.Stdin
	}
	if !o.tty {
		return restore, nil
	}
	c.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
	if w, ok := windowSize(); ok {
		c.TTY = &w
	}
	in := int(os.Stdin.Fd())
	if !o.interactive || !term.IsTerminal(in) {
		return restore, nil
	}
	// Raw: what is typed goes to the program as it is, control-C included. Its own terminal does the rest.
	state, err := term.MakeRaw(in)
	if err != nil {
		return restore, err
	}
	return func() { _ = term.Restore(in, state) }, nil
}

// windowSize is the size of the terminal that this program writes to, if it does.
func windowSize() (caisson.Winsize, bool) {
	cols, rows, err := term.GetSize(int(os.Stdout.Fd()))
	return caisson.Winsize{Rows: uint16(rows), Cols: uint16(cols)}, err == nil && rows > 0 && cols > 0
}

// impatience is how many requests to end the program may ignore.
const impatience = 3

// listen takes the signals that are the program's. What comes before it runs waits.
func listen() (signals chan os.Signal, leave func()) {
	signals = make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	if resized != nil {
		signal.Notify(signals, resized)
	}
	return signals, func() { signal.Stop(signals); close(signals) }
}

// attend passes signals on to the program, and changes of the window's size to its terminal. A program that is PID 1
// gets no signal that it does not handle (pid_namespaces(7)), so the third request to end kills it; --init is the
// better answer.
func attend(c *caisson.Container, signals <-chan os.Signal) {
	requests := 0
	for s := range signals {
		if s == resized {
			if w, ok := windowSize(); ok && c.TTY != nil {
				_ = c.Resize(w)
			}
			continue
		}
		if s == os.Interrupt || s == terminate {
			requests++
		}
		if requests == impatience {
			s = os.Kill
		}
		_ = c.Signal(s) // it may have ended; then so does this program
	}
}
