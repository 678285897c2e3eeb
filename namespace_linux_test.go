package caisson_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

func TestNamespaceAlone(t *testing.T) {
	testneed.UserNamespaces(t)
	n, err := caisson.NewNamespace(t.Context(), caisson.NetNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	out, err := n.Command("sh", "-c", "readlink /proc/self/ns/net; ls /sys/class/net >/dev/null; id -u >/dev/null; env").Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, _ := os.Readlink("/proc/self/ns/net")
	first, _, _ := strings.Cut(string(out), "\n")
	if first != n.String() || first == own {
		t.Fatalf("ran in %s, want %s, not %s", first, n, own)
	}
	roundTrip(t, n)
}

type network interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
}

// roundTrip listens in a network and dials there, and finds that nobody outside can.
func roundTrip(t *testing.T, n network) {
	t.Helper()
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		l, err := n.Listen(t.Context(), network, ":0")
		if err != nil {
			t.Fatal(network, err)
		}
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}
		}()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		c, err := n.Dial(t.Context(), network, "localhost:"+port)
		if err != nil {
			t.Fatal(network, err)
		}
		_, _ = io.WriteString(c, "echo")
		_ = c.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil || string(b) != "echo" {
			t.Fatalf("%s: %q %v", network, b, err)
		}
		_ = c.Close()
		_ = l.Close()
	}
	if _, err := n.Dial(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	if _, err := n.Dial(t.Context(), "unix", "/run/x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
}

func TestDialIntoContainer(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	started(t, c)
	roundTrip(t, c)
	n, err := c.Namespace(caisson.NetNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	roundTrip(t, n)
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Fatal("a port inside is open outside")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Dial(t.Context(), "tcp", ":1"); !errors.Is(err, caisson.ErrClosed) {
		t.Fatal(err)
	}
}

func TestOpenNamespaceOfSomethingElse(t *testing.T) {
	if _, err := caisson.OpenNamespace("/proc/self/ns/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := caisson.OpenNamespace("/dev/null"); !errors.Is(err, syscall.ENOTTY) {
		t.Fatal(err)
	}
	if _, err := caisson.NewNamespace(t.Context(), caisson.PIDNamespace); !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
}

// Two containers share namespaces; a third is in none of them.
func TestJoinedNamespaces(t *testing.T) {
	e := engine(t)
	a := e.Host().Command("sh", "-c", "echo up; exec sleep 1000")
	a.Hostname = "shared"
	started(t, a)
	b := e.Host().Command("sh", "-c", "hostname; readlink /proc/self/ns/net; ls /proc | grep -c '^[0-9]'")
	of := caisson.NamespaceOf(a.Pid())
	b.Namespaces = caisson.Namespaces{Net: of, UTS: of, IPC: of, PID: of, User: userOf(a)}
	out, err := b.CombinedOutput(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n, err := a.Namespace(caisson.NetNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	f := strings.Fields(string(out))
	if f[0] != "shared" || f[1] != n.String() || f[2] < "3" {
		t.Fatalf("%q, want shared %s and more than two processes", out, n)
	}
}

// userOf is the user namespace of a container, where it has one of its own.
func userOf(c *caisson.Container) caisson.NamespaceMode {
	if os.Geteuid() == 0 {
		return caisson.NamespaceDefault
	}
	return caisson.NamespaceOf(c.Pid())
}
