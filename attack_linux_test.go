package caisson_test

// The attacks of CVEs on container runtimes, as tests. Each test's comment names the CVEs and says when it passes; its
// number is the row of the list of attacks that it stands for. Where an attack is a race, deliberately naive code must
// lose it first: else the run proves nothing, and fails.
//
// Each attack is tried with what the user who runs the tests gets by default, and by root with a user namespace too.
// A last test runs all of them again as a user without any privilege.
//
// Counts are small by default; CAISSON_FULL=1 makes them what the list of attacks asks for.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// assault is what an attack is run against: an engine and the root filesystem of an image.
type assault struct {
	*testing.T
	engine *caisson.Engine
	root   *testroot.Root
	user   caisson.NamespaceMode
}

// attack runs an attack in each mode that the user who runs the test has. At its end no container is left on disk.
func attack(t *testing.T, try func(t *assault)) {
	t.Helper()
	testneed.UserNamespaces(t)
	modes := map[string]caisson.NamespaceMode{"rootless": caisson.NamespaceDefault}
	if os.Geteuid() == 0 {
		modes = map[string]caisson.NamespaceMode{"root": caisson.NamespaceDefault, "userns": caisson.NamespaceNew}
	}
	for name, user := range modes {
		t.Run(name, func(t *testing.T) {
			e := &caisson.Engine{Dir: t.TempDir()}
			t.Cleanup(func() {
				if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) > 0 {
					t.Errorf("%d containers are left on disk, %s among them", len(left), left[0].Name())
				}
			})
			try(&assault{t, e, testroot.New(t), user})
		})
	}
}

// attackCount is how often something is tried: the number of the list of attacks, or a smaller one that suits every run.
func attackCount(full, quick int) int {
	if os.Getenv("CAISSON_FULL") == "1" {
		return full
	}
	return quick
}

// privileged tells whether the container's root is the host's.
func (t *assault) privileged() bool { return os.Geteuid() == 0 && t.user == caisson.NamespaceDefault }

// manyIDs tells whether the container can have other users than root.
func (t *assault) manyIDs() bool {
	if t.privileged() {
		return true
	}
	err := t.command("status").with(func(c *caisson.Container) { c.User = "app" }).Run(t.Context())
	var e *caisson.Error
	if errors.As(err, &e) && e.Op == "identity" {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// victim is a container under attack.
type victim struct {
	*caisson.Container
	t    *assault
	said chan string // the lines of a container that was started with start or lines
}

// command is a container of the root filesystem that runs a command of the probe.
func (t *assault) command(args ...string) *victim {
	t.Helper()
	return t.commandIn(t.root.Dir, args...)
}

func (t *assault) commandIn(dir string, args ...string) *victim {
	t.Helper()
	img, err := t.engine.RootFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := img.Command(args...)
	c.Namespaces.User = t.user
	return &victim{c, t, make(chan string, 1<<16)}
}

// with changes the container before its start.
func (b *victim) with(change func(c *caisson.Container)) *victim {
	change(b.Container)
	return b
}

// output runs the container to its end, which must be a good one.
func (b *victim) output() string {
	b.t.Helper()
	out, err := b.CombinedOutput(b.t.Context())
	if err != nil {
		b.t.Fatalf("%q: %v\n%s", b.Args, err, out)
	}
	return string(out)
}

// start starts the container, whose program says a line when it is ready, and closes it when the test ends.
func (b *victim) start() *victim {
	b.t.Helper()
	lines := b.lines()
	if line := lines(); line != "up" {
		b.t.Fatalf("%q said %q instead of up", b.Args, line)
	}
	return b
}

// lines starts the container and returns a function that waits for its next line; "" at the end.
func (b *victim) lines() func() string {
	b.t.Helper()
	r, w := io.Pipe()
	b.Stdout, b.Stderr = w, w
	if err := b.Start(b.t.Context()); err != nil {
		b.t.Fatalf("%q: %v", b.Args, err)
	}
	go func() {
		defer close(b.said)
		var rest []byte
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			rest = append(rest, buf[:n]...)
			for {
				line, after, ok := bytes.Cut(rest, []byte("\n"))
				if !ok {
					break
				}
				b.said <- strings.TrimSuffix(string(line), "\r")
				rest = after
			}
			if err != nil {
				return
			}
		}
	}()
	b.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			b.t.Error(err)
		}
		_ = w.Close()
	})
	return func() string {
		select {
		case line := <-b.said:
			return line
		case <-time.After(testneed.Patience(2 * time.Minute)):
			b.t.Fatalf("%q says nothing", b.Args)
			return ""
		}
	}
}

// exec runs a further command in the running container, to a good end.
func (b *victim) exec(args ...string) string {
	b.t.Helper()
	out, err := b.Exec(args...).CombinedOutput(b.t.Context())
	if err != nil {
		b.t.Fatalf("exec %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// refused fails the test unless the container does not start, cleanly: with an *Error, and without having run anything.
func (b *victim) refused(what string) error {
	b.t.Helper()
	out, err := b.CombinedOutput(b.t.Context())
	var e *caisson.Error
	if !errors.As(err, &e) {
		b.t.Errorf("%s: %v, want a refusal\n%s", what, err, out)
	}
	if len(out) > 0 {
		b.t.Errorf("%s: something ran: %s", what, out)
	}
	b.t.noSecret(what, fmt.Sprint(err))
	return err
}

// orRefused runs the container, and returns what it said, or "" if its start was refused cleanly.
func (b *victim) orRefused(what string) string {
	b.t.Helper()
	out, err := b.CombinedOutput(b.t.Context())
	var e *caisson.Error
	if err != nil && !errors.As(err, &e) {
		b.t.Errorf("%s: %v, want success or a refusal\n%s", what, err, out)
	}
	b.t.noSecret(what, string(out)+fmt.Sprint(err))
	return string(out)
}

// noSecret fails the test if a text has anything of a canary.
func (t *assault) noSecret(what, text string) {
	t.Helper()
	if strings.Contains(text, testroot.Secret) {
		t.Errorf("%s: the host's secret is in %q", what, text)
	}
}

// has fails the test unless a text has each of the parts.
func (t *assault) has(what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: no %q in\n%s", what, p, text)
		}
	}
}

// naiveEscapes wants naive code to lose a race: without that the test proves nothing.
func naiveEscapes(t testing.TB, attempt func() (escaped bool)) {
	t.Helper()
	deadline := time.Now().Add(testneed.Patience(30 * time.Second))
	for i := 1; time.Now().Before(deadline); i++ {
		if attempt() {
			t.Logf("control: naive code escaped at try %d", i)
			return
		}
	}
	t.Fatal("control: naive code never escaped, so this run proves nothing; give the test a second processor")
}
