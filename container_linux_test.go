package caisson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// engine is an engine on a directory of the test's own.
func engine(t testing.TB) *caisson.Engine {
	t.Helper()
	testneed.UserNamespaces(t)
	return &caisson.Engine{Dir: t.TempDir()}
}

// sh runs a shell script in the host image and returns its output.
func sh(t testing.TB, e *caisson.Engine, script string) string {
	t.Helper()
	out, err := e.Host().Command("sh", "-ec", script).CombinedOutput(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestOutputOfAHostProgram(t *testing.T) {
	if out := sh(t, engine(t), "echo hello; id -u; echo $$"); out != "hello\n0\n1\n" {
		t.Fatalf("%q", out)
	}
}

func TestExitCodes(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		is   error
	}{
		{"success", []string{"true"}, 0, nil},
		{"failure", []string{"sh", "-c", "exit 42"}, 42, nil},
		{"signal", []string{"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}, 137, nil},
		{"not found", []string{"no-such-program"}, 127, fs.ErrNotExist},
		{"not found by path", []string{"/no/such/program"}, 127, fs.ErrNotExist},
		{"not executable", []string{"/etc/passwd"}, 126, fs.ErrPermission},
		{"a directory", []string{"/etc"}, 126, fs.ErrPermission},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := e.Host().Command(c.args...).Run(t.Context())
			if got := caisson.ExitCode(err); got != c.code {
				t.Fatalf("code %d, want %d: %v", got, c.code, err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("%v is not %v", err, c.is)
			}
		})
	}
}

func TestStdin(t *testing.T) {
	c := engine(t).Host().Command("cat")
	c.Stdin = strings.NewReader("what goes in")
	out, err := c.Output(t.Context())
	if err != nil || string(out) != "what goes in" {
		t.Fatal(string(out), err)
	}
}

func TestPipes(t *testing.T) {
	c := engine(t).Host().Command("tr", "a-z", "A-Z")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(in, "loud")
	_ = in.Close()
	b, err := io.ReadAll(out)
	if err != nil || string(b) != "LOUD" {
		t.Fatal(string(b), err)
	}
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestExtraFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	c := engine(t).Host().Command("sh", "-c", "echo by descriptor >&3; ls /proc/self/fd | tr '\\n' ' '")
	c.ExtraFiles = []*os.File{w}
	out, err := c.Output(t.Context())
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(r)
	if string(b) != "by descriptor\n" || string(out) != "0 1 2 3 4 " {
		t.Fatalf("%q %q", b, out)
	}
}

func TestCancelKills(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	r, w := io.Pipe()
	c.Stdout = w
	go func() {
		_, _ = r.Read(make([]byte, 3))
		cancel()
		_, _ = io.Copy(io.Discard, r)
	}()
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestStopAndSignal(t *testing.T) {
	e := engine(t)
	c := e.Host().Command("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 1000 & wait; done")
	started(t, c)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := caisson.ExitCode(c.Wait(t.Context())); code != 7 {
		t.Fatal(code)
	}
	// PID 1 gets no signal that it does not handle: the stop ends in a kill.
	c = e.Host().Command("sh", "-c", "echo up; exec sleep 1000")
	c.StopTimeout = 10 * time.Millisecond
	started(t, c)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := caisson.ExitCode(c.Wait(t.Context())); code != 137 {
		t.Fatal(code)
	}
}

// started starts a container and waits for its program to say a line.
func started(t testing.TB, c *caisson.Container) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestInitForwardsAndReaps(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "echo $$; exec sleep 1000")
	c.Init = true
	started(t, c)
	// The orphan's parent becomes the init, which reaps it: no zombie is left.
	out, err := c.Exec("sh", "-c", "(sh -c 'exit 3' &) ; true").CombinedOutput(t.Context())
	if err != nil {
		t.Fatal(err, string(out))
	}
	if err := c.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *caisson.ExitError
	if err := c.Wait(t.Context()); !errors.As(err, &exit) || exit.Signal != syscall.SIGTERM || exit.Code != 143 {
		t.Fatal(err)
	}
}

func TestExec(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	c.Env = []string{"FROM=spec"}
	c.Hostname = "inner"
	started(t, c)
	p := c.Exec("sh", "-c", "hostname; echo $FROM $OWN; pwd; cat; ls /proc | grep -c '^[0-9]'; exit 5")
	p.Env, p.Dir, p.Stdin = []string{"OWN=exec"}, "/usr", strings.NewReader("in\n")
	out, err := p.Output(t.Context())
	if caisson.ExitCode(err) != 5 {
		t.Fatal(err, string(out))
	}
	want := "inner\nspec exec\n/usr\nin\n"
	if !strings.HasPrefix(string(out), want) {
		t.Fatalf("%q", out)
	}
	if err := c.Exec("no-such-program").Run(t.Context()); caisson.ExitCode(err) != 127 {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("true").Run(t.Context()); !errors.Is(err, caisson.ErrClosed) {
		t.Fatal(err)
	}
}

func TestTerminal(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "tty; stty size; stat -c '%t' /dev/console; read x; echo got $x; sleep 1000")
	c.TTY = &caisson.Winsize{Rows: 33, Cols: 111}
	in, w := io.Pipe()
	var out lines
	c.Stdin, c.Stdout = in, &out
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(); _ = w.Close() }()
	out.wait(t, "33 111")
	if err := c.Resize(caisson.Winsize{Rows: 10, Cols: 20}); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, "typed\n")
	out.wait(t, "got typed")
	out.wait(t, "/dev/pts/0")
	out.wait(t, "88") // major 136
	p := c.Exec("sh", "-c", "tty; stty size < /dev/console; stty size")
	p.TTY = &caisson.Winsize{Rows: 5, Cols: 6}
	b, err := p.Output(t.Context())
	if err != nil || string(b) != "/dev/pts/1\r\n10 20\r\n5 6\r\n" {
		t.Fatalf("%q %v", b, err)
	}
}

// lines is output that can be waited for.
type lines struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	l.check()
	return len(p), nil
}

func (l *lines) check() {
	if l.want != "" && strings.Contains(l.buf.String(), l.want) {
		close(l.seen)
		l.want = ""
	}
}

func (l *lines) wait(t testing.TB, want string) {
	t.Helper()
	l.mu.Lock()
	seen := make(chan struct{})
	l.want, l.seen = want, seen
	l.check()
	l.mu.Unlock()
	select {
	case <-seen:
	case <-time.After(30 * time.Second):
		t.Fatalf("%q is not in %q", want, l.buf.String())
	}
}

func TestUser(t *testing.T) {
	testneed.Root(t)
	out := runAs(t, engine(t), "65534:65534", "id -u; id -g; grep -E 'Cap(Eff|Prm|Inh|Amb)' /proc/self/status | tr -d '\\n\\t '")
	if out != "65534\n65534\nCapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000CapAmb:0000000000000000" {
		t.Fatalf("%q", out)
	}
}

func runAs(t testing.TB, e *caisson.Engine, user, script string) string {
	t.Helper()
	c := e.Host().Command("sh", "-ec", script)
	c.User = user
	out, err := c.CombinedOutput(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// Under an init the terminal controls the program's session, not the init's: keys and SIGWINCH reach it.
func TestTerminalUnderInit(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "trap 'echo resized; stty size' WINCH; trap 'echo interrupted; exit 4' INT; echo up; while :; do sleep 1000 & wait $!; done")
	c.TTY, c.Init = &caisson.Winsize{Rows: 5, Cols: 6}, true
	in, w := io.Pipe()
	var out lines
	c.Stdin, c.Stdout = in, &out
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(); _ = w.Close() }()
	out.wait(t, "up")
	if err := c.Resize(caisson.Winsize{Rows: 50, Cols: 60}); err != nil {
		t.Fatal(err)
	}
	out.wait(t, "50 60")
	_, _ = io.WriteString(w, "\x03")
	out.wait(t, "interrupted")
	if code := caisson.ExitCode(c.Wait(t.Context())); code != 4 {
		t.Fatal(code)
	}
}
