package caisson_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
)

// piped is a Container or a Process with a terminal.
type piped interface {
	Start(ctx context.Context) error
	Wait(ctx context.Context) error
	StdinPipe() (io.WriteCloser, error)
	StdoutPipe() (io.ReadCloser, error)
	StderrPipe() (io.ReadCloser, error)
}

// eachTerminal runs a test for the terminals of a container's program and of a further one.
func eachTerminal(t *testing.T, script string, test func(t *testing.T, p piped)) {
	e := engine(t)
	size := &caisson.Winsize{Rows: 24, Cols: 80}
	t.Run("Container", func(t *testing.T) {
		c := e.Host().Command("sh", "-c", script)
		c.TTY = size
		t.Cleanup(func() { _ = c.Close() })
		test(t, c)
	})
	t.Run("Process", func(t *testing.T) {
		c := e.Host().Command("sleep", "1000")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		p := c.Exec("sh", "-c", script)
		p.TTY = size
		test(t, p)
	})
}

// The pipes of a program with a terminal carry what is typed and what is shown.
func TestTerminalPipes(t *testing.T) {
	eachTerminal(t, "read x; echo got $x; tty >&2; exit 3", func(t *testing.T, p piped) {
		in, err1 := p.StdinPipe()
		out, err2 := p.StdoutPipe()
		stderr, err3 := p.StderrPipe()
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		within(t, "a program with pipes", func() {
			// Everything that a terminal shows goes to Stdout: here is the end at once.
			if b, err := io.ReadAll(stderr); len(b) != 0 || err != nil {
				t.Errorf("%q %v", b, err)
			}
			if _, err := io.WriteString(in, "typed\n"); err != nil {
				t.Error(err)
			}
			b, err := io.ReadAll(out)
			if err != nil || !strings.Contains(string(b), "got typed\r\n") || !strings.Contains(string(b), "/dev/pts/") {
				t.Errorf("%q %v", b, err)
			}
			if code := caisson.ExitCode(p.Wait(t.Context())); code != 3 {
				t.Error(code)
			}
		})
		if _, err := in.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
			t.Error("Wait has left the pipe open:", err)
		}
	})
}

// The end of what is typed is not the end of the terminal; nor is output that nobody reads a reason not to end.
func TestTerminalPipesThatAreNotUsed(t *testing.T) {
	eachTerminal(t, "sleep 0.01; i=0; while [ $i -lt 100 ]; do echo something that nobody reads; i=$((i+1)); done; exit 4", func(t *testing.T, p piped) {
		in, err := p.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		within(t, "Wait", func() {
			if code := caisson.ExitCode(p.Wait(t.Context())); code != 4 {
				t.Error(code)
			}
		})
	})
}

// A terminal that nobody looks at any more is hung up: a program that goes on writing is told, as it is by a
// broken pipe.
func TestTerminalThatNobodyLooksAt(t *testing.T) {
	for name, set := range map[string]func(c *caisson.Container){
		"a Writer that fails": func(c *caisson.Container) {
			c.Stdout = writerFunc(func([]byte) (int, error) { return 0, errors.New("full") })
		},
		"a pipe that is closed": func(c *caisson.Container) {
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = out.Close()
		},
	} {
		c := engine(t).Host().Command("yes")
		c.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
		set(c)
		within(t, name, func() {
			if err := c.Run(t.Context()); caisson.ExitCode(err) != 1 {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A terminal's input that is a file is left alone once the program has ended.
func TestTerminalGivesItsInputBack(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	// Of os.Pipe, a reader waits in the network poller; of this one, as of os.Stdin, in the kernel.
	blocking, blockingEnd := os.NewFile(uintptr(fds[0]), "blocking"), os.NewFile(uintptr(fds[1]), "blocking")
	pollable, pollableEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t)
	for _, c := range []struct{ r, w *os.File }{{blocking, blockingEnd}, {pollable, pollableEnd}} {
		t.Cleanup(func() { _ = c.r.Close(); _ = c.w.Close() })
		before := runtime.NumGoroutine()
		for i := range 20 {
			box := e.Host().Command("true")
			box.TTY, box.Stdin = &caisson.Winsize{Rows: 24, Cols: 80}, c.r
			if err := box.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprint("line ", i, "\n")
			if _, err := io.WriteString(c.w, want); err != nil {
				t.Fatal(err)
			}
			within(t, "reading", func() {
				if got, err := bufio.NewReader(c.r).ReadString('\n'); got != want {
					t.Errorf("%s: %q, want %q: %v", c.r.Name(), got, want, err)
				}
			})
		}
		if !poll(func() bool { return runtime.NumGoroutine() <= before }) {
			t.Errorf("%s: %d goroutines, %d before", c.r.Name(), runtime.NumGoroutine(), before)
		}
	}
}

// A terminal's input may be a file of any kind.
func TestTerminalInputFromFiles(t *testing.T) {
	name := t.TempDir() + "/typed"
	if err := os.WriteFile(name, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("from a pipe\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = r.Close() }()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	e := engine(t)
	for want, in := range map[string]io.Reader{"from a file": file, "from a pipe": r, "from memory": strings.NewReader("from memory\n")} {
		c := e.Host().Command("sh", "-c", "read x; echo got $x")
		c.TTY, c.Stdin = &caisson.Winsize{Rows: 24, Cols: 80}, in
		out, err := c.Output(t.Context())
		if err != nil || !strings.Contains(string(out), "got "+want+"\r\n") {
			t.Errorf("%q %v", out, err)
		}
	}
}

// A nil file is nothing, whatever type it has.
func TestNilFiles(t *testing.T) {
	var none *os.File
	e := engine(t)
	c := e.Host().Command("sh", "-c", "readlink /proc/self/fd/0 >&2; cat; echo lost")
	c.Stdin, c.Stdout = none, none
	var stderr lines
	c.Stderr = &stderr
	if err := c.Run(t.Context()); err != nil || stderr.buf.String() != "/dev/null\n" {
		t.Errorf("%q %v", stderr.buf.String(), err)
	}
	c = e.Host().Command("sh", "-c", "echo kept; echo lost >&2")
	c.Stdin, c.Stdout, c.Stderr = none, none, none
	if out, err := c.Output(t.Context()); err != nil || string(out) != "kept\n" {
		t.Errorf("%q %v", out, err)
	}
	c = e.Host().Command("cat")
	c.TTY, c.Stdin, c.Stdout = &caisson.Winsize{}, none, none
	c.Args = []string{"true"}
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// A file that is closed already is an error before anything is done: the program would find something else under
// its number.
func TestClosedFiles(t *testing.T) {
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	e := engine(t)
	box := e.Host().Command("sleep", "1000")
	if err := box.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	for where, set := range map[string]func(c *caisson.Container, p *caisson.Process){
		"Stdin":  func(c *caisson.Container, p *caisson.Process) { c.Stdin, p.Stdin = closed, closed },
		"Stdout": func(c *caisson.Container, p *caisson.Process) { c.Stdout, p.Stdout = closed, closed },
		"Stderr": func(c *caisson.Container, p *caisson.Process) { c.Stderr, p.Stderr = closed, closed },
		"ExtraFiles[1]": func(c *caisson.Container, p *caisson.Process) {
			c.ExtraFiles = []*os.File{nil, closed}
			p.ExtraFiles = c.ExtraFiles
		},
	} {
		c, p := e.Host().Command("true"), box.Exec("true")
		set(c, p)
		for what, err := range map[string]error{"Container": c.Run(t.Context()), "Process": p.Run(t.Context())} {
			var e *caisson.Error
			if !errors.Is(err, os.ErrClosed) || !errors.As(err, &e) || !strings.Contains(e.Path, where) {
				t.Errorf("%s, %s: %v", what, where, err)
			}
		}
	}
}

// Descriptors are given back at the end of a program, whoever waits for it.
func TestProcessGivesItsDescriptorsBack(t *testing.T) {
	c := engine(t).Host().Command("sleep", "1000")
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	descriptors := func() int {
		l, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	before := descriptors()
	for range 10 {
		p := c.Exec("true")
		p.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
		p.WaitDelay = time.Minute
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !poll(func() bool { return descriptors() <= before }) {
		t.Errorf("%d descriptors, %d before", descriptors(), before)
	}
}
