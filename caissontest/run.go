package caissontest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caisson-go/caisson"
)

// TB is the part of testing.TB that is used here.
type TB interface {
	Helper()                           // marks the caller as not being the test
	Cleanup(f func())                  // calls f after the test
	Logf(format string, args ...any)   // adds a line to the test's log
	Fatalf(format string, args ...any) // fails the test and ends it
	Skipf(format string, args ...any)  // skips the test and ends it
	Context() context.Context          // ends just before the functions of Cleanup are called
}

// Server is a running container of a test. The container's own methods are there too, such as Dial, Exec, Signal
// and Stop.
type Server struct {
	*caisson.Container

	t       TB
	name    string
	log     *lines
	logged  string // which of Stdout and Stderr
	client  *http.Client
	waiting sync.Once
	ended   chan struct{} // closed when the program has ended; made by waiting
	err     error         // how
}

// drainTime bounds how long the end of a test waits for the last of a killed container's output. It is there
// at once, unless a process outside of the container holds the other end of a pipe.
const drainTime = 10 * time.Second

// Run starts a container and closes it after the test. Of Stdout and Stderr what is nil is logged to t, line by
// line; what is set is left alone.
//
// If the container does not start the test fails, with the last of what it wrote. On a host that cannot run
// it the test is skipped, with the remedy; see the package's comment.
func Run(t TB, c *caisson.Container) *Server {
	t.Helper()
	s := &Server{Container: c, t: t, name: nameOf(c), ended: make(chan struct{})}
	s.log = newLines(func(line string) { t.Logf("%s: %s", s.name, line) })
	s.client = &http.Client{Transport: &http.Transport{DialContext: c.Dial}}
	s.connect()
	t.Cleanup(s.cleanup)
	if err := c.Start(t.Context()); err != nil {
		if cause := refusal(t.Context(), c.Limits, err); cause != nil {
			skip(t, cause)
		}
		t.Fatalf("caissontest: %s does not start: %v%s", s.name, err, s.log.tail())
	}
	return s
}

// connect has logged what the test has no use for itself.
func (s *Server) connect() {
	var logged []string
	if s.Stdout == nil {
		s.Stdout, logged = s.log, append(logged, "Stdout")
	}
	if s.Stderr == nil && s.TTY == nil {
		s.Stderr, logged = s.log, append(logged, "Stderr")
	}
	s.logged = strings.Join(logged, " or ")
}

// nameOf is what the container is called in the log: its name, or else its program's.
func nameOf(c *caisson.Container) string {
	switch {
	case c.Name != "":
		return c.Name
	case len(c.Args) > 0:
		return path.Base(c.Args[0])
	}
	return "container"
}

// cleanup ends the container and everything of it. The test's context is over by now.
func (s *Server) cleanup() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), drainTime)
	defer cancel()
	before := s.State()
	if before == caisson.StateRunning {
		_ = s.Signal(os.Kill)
	}
	if before == caisson.StateRunning || before == caisson.StateExited {
		// Closing would cut off what the program wrote last; its end is a moment away.
		if err := s.Wait(ctx); err != nil && before == caisson.StateExited {
			s.t.Logf("caissontest: %s had ended by itself: %v", s.name, err)
		}
	}
	s.client.CloseIdleConnections()
	err := s.Close()
	s.log.end()
	if err != nil {
		s.t.Fatalf("caissontest: %s is not removed: %v", s.name, err)
	}
}

// Client is an HTTP client that connects from inside the container's network: the container is localhost, and
// http://localhost:8080/ is its port 8080. Its idle connections are closed with the container.
func (s *Server) Client() *http.Client { return s.client }

// Log is the last of what the container has written, as far as it is logged: at most a MiB.
func (s *Server) Log() string { return s.log.text() }

// WaitFor waits until a logged line contains text, and returns the first that does, of those from before too as
// long as Log has them. The test fails, with the last lines, if the program ends before, or ctx; and at once if
// nothing is logged, because the test has set Stdout and Stderr.
//
// It calls Wait, which closes the pipes of StdinPipe and its siblings when the program ends.
func (s *Server) WaitFor(ctx context.Context, text string) string {
	s.t.Helper()
	if s.logged == "" {
		s.t.Fatalf("caissontest: nothing of %s is logged, so %q cannot be waited for (remedy: leave Stdout nil)", s.name, text)
		return ""
	}
	s.waiting.Do(func() {
		ctx := context.WithoutCancel(ctx)
		go func() {
			s.err = s.Wait(ctx)
			close(s.ended)
		}()
	})
	found, leave := s.log.watch(text)
	defer leave()
	var why string
	select {
	case line := <-found:
		return line
	case <-ctx.Done():
		why = fmt.Sprintf("has not written %q to %s: %v", text, s.logged, ctx.Err())
	case <-s.ended:
		// All that it wrote has been copied by now.
		why = fmt.Sprintf("has ended (%s) and not written %q to %s", ending(s.err), text, s.logged)
	}
	select {
	case line := <-found:
		return line
	default:
		s.t.Fatalf("caissontest: %s %s%s", s.name, why, s.log.tail())
		return ""
	}
}

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}
