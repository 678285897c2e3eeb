package caisson

import (
	"context"
	"errors"
	"net"
	"strings"
)

// Dial connects to an address as seen from inside the container's network namespace: no port needs to
// be published, and none is. An empty host, or "localhost", is the container itself. Names are looked up
// by the host program. network is "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", or "unix" with an abstract
// address that starts with "@".
//
// The signature is that of net.Dialer.DialContext: give the method to http.Transport or a database driver.
//
// Errors: *net.OpError as of net.Dial, in which errors.Is finds the errno, syscall.ECONNREFUSED for instance;
// *Error; ErrNotStarted; ErrClosed; os.ErrProcessDone if the container has ended; errors.ErrUnsupported for
// another network; ctx.Err. Source: network_namespaces(7), socket(2), connect(2).
func (c *Container) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	l, err := c.life.alive()
	if err != nil {
		return nil, c.failed("dial", err)
	}
	return dialIn(ctx, l.socket, network, address)
}

// Listen listens on an address inside the container's network namespace: programs in the container
// reach the host program there. Networks are those of Dial that are streams. The listener outlives the
// container, and keeps its network namespace alive: close it.
//
// Errors: as Dial's; syscall.EADDRINUSE, and fs.ErrPermission for a port that is not the container's to take.
// Source: network_namespaces(7), socket(2), listen(2).
func (c *Container) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := c.life.alive()
	if err != nil {
		return nil, c.failed("listen", err)
	}
	return listenIn(ctx, l.socket, network, address)
}

// Dial connects to an address as seen from inside a network namespace, as Container.Dial.
//
// Errors: *net.OpError as net.Dial's, in which errors.Is finds the errno, ctx.Err, and, if the namespace is
// closed, os.ErrClosed; *Error with errors.ErrUnsupported for another kind of namespace or of network.
// Source: network_namespaces(7), socket(2).
func (n *Namespace) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := n.mustBeNet(); err != nil {
		return nil, err
	}
	return dialIn(ctx, n.socket, network, address)
}

// Listen listens on an address inside a network namespace, as Container.Listen.
//
// The listener keeps the network alive when the Namespace is closed.
//
// Errors: as Dial's; syscall.EADDRINUSE.
func (n *Namespace) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if err := n.mustBeNet(); err != nil {
		return nil, err
	}
	return listenIn(ctx, n.socket, network, address)
}

func (n *Namespace) mustBeNet() error {
	if n.kind == NetNamespace {
		return nil
	}
	return &Error{"socket", n.String(), errors.ErrUnsupported, "only a network namespace has sockets"}
}

// checkNetwork refuses what a socket of another namespace cannot be. The path of a UNIX socket belongs
// to a mount namespace, and the host program's is not meant.
func checkNetwork(network, address string) error {
	if network == "unix" && !strings.HasPrefix(address, "@") {
		return &Error{"socket", address, errors.ErrUnsupported, "a UNIX socket with a path belongs to the filesystem; abstract ones start with @"}
	}
	if strings.HasPrefix(network, "ip") || network == "unixgram" || network == "unixpacket" {
		return &Error{"socket", network, errors.ErrUnsupported, "use tcp, udp or unix"}
	}
	return nil
}
