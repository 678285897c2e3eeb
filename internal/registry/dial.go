package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// dialer connects for one registry or mirror. It looks at the addresses that names lead to, when they are known and
// before anything is sent there: a name is no proof of where it leads.
type dialer struct {
	dial net.Dialer
	home string   // the registry, host:port or host
	mine []string // hosts that the caller trusts beside it

	reachOf func(netip.Addr) reach
	nearest atomic.Int32 // reach of the registry, the farthest address that it has shown

	mu      sync.Mutex
	proxies map[string]bool // host:port, those of the environment
}

func newDialer(home string, o *Options) *dialer {
	d := &dialer{
		home:    home,
		mine:    o.TokenHosts,
		dial:    net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second},
		proxies: map[string]bool{},
		reachOf: reachOf,
	}
	if o.reachOf != nil {
		d.reachOf = o.reachOf
	}
	d.nearest.Store(unknownReach)
	return d
}

// unknownReach is that of a registry that was not yet connected to.
const unknownReach = -1

// allowed is how near a host may be that the caller did not name. Behind a proxy all that is known is the name.
func (d *dialer) allowed() reach {
	if n := d.nearest.Load(); n != unknownReach {
		return min(reach(n), loopback)
	}
	return min(reachOfHost(hostname(d.home)), loopback)
}

// DialContext connects. The address is one of a host that requests go to, or of a proxy.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	named := d.proxies[address]
	d.mu.Unlock()
	home := sameHost(address, d.home)
	trusted := slices.ContainsFunc(d.mine, func(h string) bool { return sameHost(address, h) })
	if home || named || trusted {
		conn, err := d.dial.DialContext(ctx, network, address)
		if err == nil && home {
			d.seen(conn.RemoteAddr())
		}
		return conn, err
	}
	checked := d.dial
	checked.Control = d.control
	return checked.DialContext(ctx, network, address)
}

// seen remembers how near the registry is. An answer of the DNS that moves it inside later gains nothing.
func (d *dialer) seen(a net.Addr) {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := int32(d.reachOf(ap.Addr()))
	if n := d.nearest.Load(); n == unknownReach || r < n {
		d.nearest.Store(r)
	}
}

// control refuses an address before the connection is made.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if d.reachOf(ap.Addr()) > d.allowed() {
		return fmt.Errorf("%w: %s", ErrAddress, ap.Addr())
	}
	return nil
}

// proxy is the proxy of the environment, whose address the user has named.
func (d *dialer) proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if u != nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
		}
		d.mu.Lock()
		d.proxies[net.JoinHostPort(u.Hostname(), port)] = true
		d.mu.Unlock()
	}
	return u, err
}

// sameHost reports whether an address to dial is that of a registry, which may leave out its port.
func sameHost(address, registry string) bool {
	if strings.EqualFold(address, registry) {
		return true
	}
	host, port, err := net.SplitHostPort(address)
	return err == nil && (port == "443" || port == "80") && strings.EqualFold(host, strings.Trim(registry, "[]"))
}

// hostname is a registry without its port.
func hostname(registry string) string {
	if host, _, err := net.SplitHostPort(registry); err == nil {
		return host
	}
	return strings.Trim(registry, "[]")
}
