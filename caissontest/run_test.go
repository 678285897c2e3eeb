package caissontest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/caissontest"
	"github.com/caisson-go/caisson/internal/testneed"
)

// sh is a container of the host image that runs a script.
func sh(t caissontest.TB, script string) *caisson.Container {
	return caissontest.Engine(t).Host().Command("sh", "-c", script)
}

// passed fails the test if the fake one did not pass.
func passed(t *testing.T, f *fake) {
	t.Helper()
	if len(f.failed)+len(f.skipped)+len(f.late) > 0 {
		t.Fatalf("failed %q, skipped %q, logged late %q", f.failed, f.skipped, f.late)
	}
}

// failed fails the test if the fake one did not fail for this reason, once.
func failed(t *testing.T, f *fake, why ...string) {
	t.Helper()
	if len(f.failed) != 1 || len(f.skipped) > 0 {
		t.Fatalf("failed %q, skipped %q", f.failed, f.skipped)
	}
	for _, w := range why {
		if !strings.Contains(f.failed[0], w) {
			t.Errorf("%q does not say %q", f.failed[0], w)
		}
	}
}

func TestRunWithTheRealT(t *testing.T) {
	testneed.UserNamespaces(t)
	s := caissontest.Run(t, sh(t, "echo ready; exec sleep 1000"))
	if line := s.WaitFor(t.Context(), "ready"); line != "ready" {
		t.Fatalf("%q", line)
	}
	out, err := s.Exec("echo", "more").Output(t.Context())
	if err != nil || string(out) != "more\n" {
		t.Fatalf("%q %v", out, err)
	}
}

func TestRunLogsAndCleansUp(t *testing.T) {
	testneed.UserNamespaces(t)
	var s *caissontest.Server
	f := run(func(t caissontest.TB) {
		c := sh(t, "echo one; echo two >&2; printf three; exec sleep 1000")
		c.Name = "trio"
		s = caissontest.Run(t, c)
		if line := s.WaitFor(t.Context(), "three"); line != "three" {
			t.Fatalf("waited for %q", line)
		}
		if s.Log() != "one\ntwo\nthree" {
			t.Fatalf("the log is %q", s.Log())
		}
	})
	passed(t, f)
	if s.State() != caisson.StateClosed {
		t.Error("the container is", s.State())
	}
	if f.log() != "trio: one\ntrio: two\ntrio: three" {
		t.Errorf("%q", f.log())
	}
}

// What a program writes in the moment before it is killed is logged too.
func TestLastOutputIsNotLost(t *testing.T) {
	testneed.UserNamespaces(t)
	const many = 2000
	f := run(func(t caissontest.TB) {
		s := caissontest.Run(t, sh(t, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; echo end > /tmp/done; exec sleep 1000"))
		for {
			if out, _ := s.Exec("cat", "/tmp/done").Output(t.Context()); string(out) == "end\n" {
				return
			}
		}
	})
	passed(t, f)
	if len(f.logs) != many {
		t.Errorf("%d lines of %d", len(f.logs), many)
	}
}

func TestProgramThatEnds(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		caissontest.Run(t, sh(t, "echo no database; exit 3")).WaitFor(t.Context(), "ready")
	})
	failed(t, f, `"ready"`, "exit status 3", "no database")
	if !strings.Contains(f.log(), "sh had ended by itself: exit status 3") {
		t.Errorf("%q", f.log())
	}
}

func TestWaitForTooLong(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		s := caissontest.Run(t, sh(t, "echo slowly; exec sleep 1000"))
		s.WaitFor(t.Context(), "slowly")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		s.WaitFor(ctx, "ready")
	})
	failed(t, f, `"ready"`, context.DeadlineExceeded.Error(), "slowly")
}

func TestProgramThatIsNotThere(t *testing.T) {
	testneed.UserNamespaces(t)
	for _, program := range []string{"no-such-program", "/etc/passwd"} {
		f := run(func(t caissontest.TB) {
			caissontest.Run(t, caissontest.Engine(t).Host().Command(program))
		})
		failed(t, f, "does not start", "execve", program)
	}
}

// A mount that the user may not make is the test's fault, not the host's.
func TestMistakeIsNoSkip(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		c := sh(t, "true")
		c.Mounts = []caisson.Mount{{Source: "/no/such/directory", Target: "/mnt"}}
		caissontest.Run(t, c)
	})
	failed(t, f, "/no/such/directory")
}

// What the test sets is the test's: nothing of it is logged.
func TestOutputOfOnesOwn(t *testing.T) {
	testneed.UserNamespaces(t)
	var out strings.Builder
	f := run(func(t caissontest.TB) {
		c := sh(t, "echo mine; echo logged >&2")
		c.Stdout = &out
		if err := caissontest.Run(t, c).Wait(t.Context()); err != nil {
			t.Fatalf("%v", err)
		}
	})
	passed(t, f)
	if out.String() != "mine\n" || f.log() != "sh: logged" {
		t.Errorf("%q %q", out.String(), f.log())
	}
}

// What is not logged cannot be waited for, and is not waited for.
func TestWaitForWhatIsNotLogged(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		c := sh(t, "echo ready; exec sleep 1000")
		c.Stdout, c.Stderr = io.Discard, io.Discard
		caissontest.Run(t, c).WaitFor(context.Background(), "ready")
	})
	failed(t, f, `"ready"`, "leave Stdout nil")
	f = run(func(t caissontest.TB) {
		c := sh(t, "echo ready; echo other >&2; exit 3")
		c.Stdout = io.Discard
		s := caissontest.Run(t, c)
		s.WaitFor(t.Context(), "other")
		s.WaitFor(t.Context(), "ready")
	})
	failed(t, f, `"ready" to Stderr`, "exit status 3")
}

func TestTerminal(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		c := sh(t, "tty; echo gone >&2")
		c.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
		if err := caissontest.Run(t, c).Wait(t.Context()); err != nil {
			t.Fatalf("%v", err)
		}
	})
	passed(t, f)
	if f.log() != "sh: /dev/pts/0\nsh: gone" {
		t.Errorf("%q", f.log())
	}
}

func TestClient(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		s := caissontest.Run(t, sh(t, "exec sleep 1000"))
		l, err := s.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatalf("%v", err)
		}
		web := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "from inside")
		})}
		go func() { _ = web.Serve(l) }()
		defer func() { _ = web.Close() }()
		r, err := s.Client().Get("http://localhost/")
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = r.Body.Close() }()
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != "from inside" {
			t.Fatalf("%q %v", b, err)
		}
	})
	passed(t, f)
}

// A test may close its container itself.
func TestClosedAlready(t *testing.T) {
	testneed.UserNamespaces(t)
	f := run(func(t caissontest.TB) {
		s := caissontest.Run(t, sh(t, "exec sleep 1000"))
		if err := s.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	})
	passed(t, f)
}

func TestEngineLeavesNothing(t *testing.T) {
	var dir string
	f := run(func(t caissontest.TB) {
		dir = caissontest.Engine(t).Dir
		if err := os.MkdirAll(filepath.Join(dir, "containers", "left"), 0o700); err != nil {
			t.Fatalf("%v", err)
		}
	})
	passed(t, f)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error(dir, err)
	}
}

func TestSharedEngine(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache) // os.UserCacheDir, on Linux
	t.Setenv("HOME", cache)
	passed(t, run(func(t caissontest.TB) {
		if e := caissontest.SharedEngine(t); !strings.HasPrefix(e.Dir, cache) {
			t.Fatalf("%s", e.Dir)
		}
	}))
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	failed(t, run(func(t caissontest.TB) { caissontest.SharedEngine(t) }), "XDG_CACHE_HOME")
}
