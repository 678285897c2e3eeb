package caisson

import (
	"context"
	"net"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// socketMaker makes a socket in a network namespace.
type socketMaker func(ctx context.Context, domain, kind int) (*os.File, error)

// dialIn connects with net.Dialer, whose sockets are replaced, before anything is done with them, by
// ones of the other namespace. Everything else, such as racing addresses and deadlines, stays Go's.
func dialIn(ctx context.Context, socket socketMaker, network, address string) (net.Conn, error) {
	if err := checkNetwork(network, address); err != nil {
		return nil, err
	}
	d := net.Dialer{ControlContext: func(ctx context.Context, _, _ string, c syscall.RawConn) error {
		return replace(ctx, socket, c, false)
	}}
	return d.DialContext(ctx, network, loopback(address))
}

func listenIn(ctx context.Context, socket socketMaker, network, address string) (net.Listener, error) {
	if err := checkNetwork(network, address); err != nil {
		return nil, err
	}
	l := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return replace(ctx, socket, c, true)
	}}
	return l.Listen(ctx, network, address)
}

// loopback takes the name localhost out of an address: the host program's resolver might know it in one
// address family only, and net.Dial takes an empty host for the loopback of either.
func loopback(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "localhost" {
		return address
	}
	return net.JoinHostPort("", port)
}

func replace(ctx context.Context, socket socketMaker, c syscall.RawConn, listen bool) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		domain, kind, err := sys.SocketKind(int(fd))
		if err != nil {
			failed = err
			return
		}
		s, err := socket(ctx, domain, kind)
		if err != nil {
			failed = err
			return
		}
		defer func() { _ = s.Close() }()
		failed = sys.ReplaceSocket(int(fd), s, domain == sys.AF_INET6, listen)
	})
	return firstOf(failed, err)
}

// socket makes a socket in the network namespace of a container.
func (l *live) socket(ctx context.Context, domain, kind int) (sock *os.File, err error) {
	all, err := l.request.namespaces()
	if err != nil {
		return nil, err
	}
	joinAll(&all, "container "+l.request.id[:12])
	// Of all its namespaces only that of the network is entered, and the user namespace that owns it.
	n := plan.Namespaces{User: all.User, Net: all.Net}
	for _, ns := range []*plan.Namespace{&n.Mount, &n.PID, &n.IPC, &n.UTS, &n.Cgroup, &n.Time} {
		ns.Mode = plan.Host
	}
	c := &plan.Config{Args: []string{"socket"}, Namespaces: n}
	pidfd, err := sys.Dup(l.proc.Pidfd())
	if err != nil {
		return nil, os.ErrProcessDone // and its descriptor is closed
	}
	defer func() { _ = pidfd.Close() }()
	err = serveTape(ctx, l.engine, plan.CompileSocket(c, true, domain, kind), c, []*os.File{pidfd}, keep(&sock))
	return sock, err
}

// socket makes a socket in the namespace.
func (n *Namespace) socket(ctx context.Context, domain, kind int) (sock *os.File, err error) {
	c, files, err := joined([]*Namespace{n})
	if err != nil {
		return nil, err
	}
	c.Args = []string{"socket"}
	err = serveTape(ctx, &Engine{}, plan.CompileSocket(c, false, domain, kind), c, files, keep(&sock))
	return sock, err
}

func keep(to **os.File) func(*startup, *os.File) error {
	return func(_ *startup, f *os.File) error {
		*to = f
		return nil
	}
}
