package caisson_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// within fails the test if something does not return for much longer than it may take.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(testneed.Patience(20 * time.Second)):
		t.Fatalf("%s does not return", what)
	}
}

// runner is what a Container and a Process have in common.
type runner interface {
	Run(ctx context.Context) error
	Output(ctx context.Context) ([]byte, error)
	Start(ctx context.Context) error
	Wait(ctx context.Context) error
	Signal(sig os.Signal) error
}

// eachRunner runs a test for a container's program and for a further one. set changes its fields.
func eachRunner(t *testing.T, script string, test func(t *testing.T, r runner, set func(fields))) {
	e := engine(t)
	t.Run("Container", func(t *testing.T) {
		c := e.Host().Command("sh", "-c", script)
		t.Cleanup(func() { _ = c.Close() })
		test(t, c, func(f fields) {
			c.Cancel, c.WaitDelay, c.Stdout = f.cancel, f.delay, f.stdout
		})
	})
	t.Run("Process", func(t *testing.T) {
		c := e.Host().Command("sleep", "1000")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		p := c.Exec("sh", "-c", script)
		test(t, p, func(f fields) {
			p.Cancel, p.WaitDelay, p.Stdout = f.cancel, f.delay, f.stdout
		})
	})
}

type fields struct {
	cancel func() error
	delay  time.Duration
	stdout *lines
}

// A Cancel that asks need not be obeyed: after WaitDelay the program is killed.
func TestWaitDelayBoundsACancelThatAsks(t *testing.T) {
	eachRunner(t, "trap '' TERM; echo up; exec sleep 1000", func(t *testing.T, r runner, set func(fields)) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &lines{}
		set(fields{func() error { return r.Signal(syscall.SIGTERM) }, 50 * time.Millisecond, out})
		go func() {
			out.wait(t, "up")
			cancel()
		}()
		within(t, "Run", func() {
			err := r.Run(ctx)
			var exit *caisson.ExitError
			if !errors.Is(err, context.Canceled) || !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL {
				t.Errorf("%v", err)
			}
		})
	})
}

// How a program ended that was asked to end is not lost; what Cancel says decides what else is in the error.
func TestCancelTellsHowTheProgramEnded(t *testing.T) {
	errRefused := errors.New("refused")
	for _, c := range []struct {
		name     string
		status   string
		answer   error // of Cancel
		canceled bool  // whether the context's error is in the error
		code     int
	}{
		{"status 0", "0", nil, true, 125},
		{"status 7", "7", nil, true, 7},
		{"status 0, done", "0", os.ErrProcessDone, false, 0},
		{"status 7, done", "7", os.ErrProcessDone, false, 7},
		{"status 0, refused", "0", errRefused, true, 125},
		{"status 7, refused", "7", errRefused, true, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := "trap 'echo gone >&2; exit " + c.status + "' TERM; echo up >&2; while :; do sleep 1000 >&- 2>&- & wait; done"
			eachRunner(t, script, func(t *testing.T, r runner, set func(fields)) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				set(fields{cancel: func() error { return errors.Join(r.Signal(syscall.SIGTERM), c.answer) }})
				stderr := stderrOf(r)
				go func() {
					stderr.wait(t, "up")
					cancel()
				}()
				var err error
				within(t, "Run", func() { err = r.Run(ctx) })
				if got := caisson.ExitCode(err); got != c.code {
					t.Errorf("code %d: %v", got, err)
				}
				if got := errors.Is(err, context.Canceled); got != c.canceled {
					t.Errorf("%v", err)
				}
				if c.answer == errRefused && !errors.Is(err, errRefused) {
					t.Errorf("%v", err)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("more than a line: %q", err)
				}
			})
		})
	}
}

// stderrOf has the standard error of a program collected.
func stderrOf(r runner) *lines {
	l := &lines{}
	switch r := r.(type) {
	case *caisson.Container:
		r.Stderr = l
	case *caisson.Process:
		r.Stderr = l
	}
	return l
}

// Output has the last of the standard error in the error of a program that was asked to end, too.
func TestOutputOfACanceledProgram(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	c := engine(t).Host().Command("sh", "-c", "trap 'echo why >&2; exit 7' TERM; echo up >&3; while :; do sleep 1000 >&- 2>&- & wait; done")
	c.ExtraFiles = []*os.File{w}
	c.Cancel = func() error { return c.Signal(syscall.SIGTERM) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, _ = r.Read(make([]byte, 1))
		poll(func() bool { return c.State() == caisson.StateRunning }) // until then ctx ends the start
		cancel()
	}()
	_, err = c.Output(ctx)
	var exit *caisson.ExitError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &exit) || string(exit.Stderr) != "why\n" {
		t.Errorf("%v", err)
	}
}

// Where both are so, that the program has ended counts, and not that nobody may wait any longer.
func TestWaitPrefersTheEndToTheContext(t *testing.T) {
	eachRunner(t, "exit 3", func(t *testing.T, r runner, _ func(fields)) {
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code := caisson.ExitCode(r.Wait(t.Context())); code != 3 {
			t.Fatal(code)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			if err := r.Wait(ctx); caisson.ExitCode(err) != 3 {
				t.Fatal(err)
			}
		}
	})
}
