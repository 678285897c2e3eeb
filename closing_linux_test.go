package caisson_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
)

// stuck is a Writer and a Reader that is held up until it is let go.
type stuck struct {
	entered chan struct{} // closed when it is in use
	release chan struct{}
	once    sync.Once
}

// newStuck is let go at the end of the test.
func newStuck(t *testing.T) *stuck {
	s := &stuck{entered: make(chan struct{}), release: make(chan struct{})}
	t.Cleanup(func() { close(s.release) })
	return s
}

func (s *stuck) Write([]byte) (int, error) { return s.wait() }
func (s *stuck) Read([]byte) (int, error)  { return s.wait() }

func (s *stuck) wait() (int, error) {
	s.once.Do(func() { close(s.entered) })
	<-s.release
	return 0, io.EOF
}

// Close ends the container, whatever the caller's Readers and Writers do.
func TestCloseDoesNotWaitForACopy(t *testing.T) {
	root := smallRoot(t)
	size := &caisson.Winsize{Rows: 24, Cols: 80}
	for name, set := range map[string]func(c *caisson.Container, s *stuck){
		"stdin":           func(c *caisson.Container, s *stuck) { c.Stdin = s },
		"stdout":          func(c *caisson.Container, s *stuck) { c.Stdout = s },
		"terminal stdin":  func(c *caisson.Container, s *stuck) { c.TTY, c.Stdin = size, s },
		"terminal stdout": func(c *caisson.Container, s *stuck) { c.TTY, c.Stdout = size, s },
	} {
		for _, ended := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // with the others, for the second that Close waits
				e := engine(t)
				img, err := e.RootFS(root)
				if err != nil {
					t.Fatal(err)
				}
				s := newStuck(t)
				c := img.Command("/bin/cwd", "--", "hold")
				if ended {
					c.Args = []string{"/bin/cwd"}
				}
				set(c, s)
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				<-s.entered
				for ended && !poll(func() bool { return c.State() == caisson.StateExited }) {
					t.Fatal("it does not end")
				}
				within(t, "Close", func() {
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				})
				if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) != 0 || c.State() != caisson.StateClosed {
					t.Error(c.State(), "left:", left)
				}
			})
		}
	}
}

// A Writer that never returns does not make Wait hang either, if there is a WaitDelay.
func TestWaitDelayBoundsAWriterThatHangs(t *testing.T) {
	for name, stdin := range map[string]bool{"stdin": true, "stdout": false} {
		t.Run(name, func(t *testing.T) {
			s := newStuck(t)
			c := engine(t).Host().Command("echo", "up")
			c.WaitDelay = time.Millisecond
			if stdin {
				c.Stdin = s
			} else {
				c.Stdout = s
			}
			within(t, "Run", func() {
				if err := c.Run(t.Context()); !errors.Is(err, exec.ErrWaitDelay) {
					t.Error(err)
				}
			})
		})
	}
}

// A Wait that hangs because of a copy ends with the container.
func TestCloseEndsWait(t *testing.T) {
	s := newStuck(t)
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	c.Stdout = s
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- c.Wait(context.Background()) }()
	<-s.entered
	within(t, "Close", func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	within(t, "Wait", func() {
		var exit *caisson.ExitError
		// Which of the two came first is open.
		if err := <-waited; !errors.Is(err, caisson.ErrClosed) && (!errors.As(err, &exit) || exit.Signal != syscall.SIGKILL) {
			t.Error(err)
		}
	})
}

// A Writer may close the container that it is written to from.
func TestCloseByAWriter(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	closed := make(chan error, 1)
	c.Stdout = writerFunc(func(p []byte) (int, error) {
		closed <- c.Close()
		return len(p), nil
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, "Close", func() {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// While a container is being closed, and afterwards, every question is answered at once.
func TestQuestionsDuringClose(t *testing.T) {
	s := newStuck(t)
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	c.Stdout = s
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	closed := make(chan error, 2)
	for range 2 { // both return when nothing is left
		go func() { closed <- c.Close() }()
	}
	within(t, "a question", func() {
		for range 1000 {
			_, _, _ = c.State(), c.Pid(), c.ID()
			if err := c.Signal(syscall.SIGWINCH); err != nil && !errors.Is(err, caisson.ErrClosed) && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		}
	})
	for range 2 {
		if err := <-closed; err != nil || c.State() != caisson.StateClosed {
			t.Error(c.State(), err)
		}
	}
	if len(c.ID()) != 64 || c.Pid() != 0 {
		t.Error(c.ID(), c.Pid())
	}
}
