package registry

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// reach says how near to this machine an address is. A host that the caller did not name may not be nearer than the
// registry that led to it: a registry on the internet has no business with addresses inside.
type reach int32

const (
	internet reach = iota
	private        // of a network like 10.0.0.0/8
	loopback       // this machine
	special        // link-local, where clouds keep their secrets; multicast; unspecified: never, unless the caller names it
)

// carrierNAT is the range that is shared behind a provider's translation; RFC 6598.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// reachOf is how near an address is.
func reachOf(a netip.Addr) reach {
	a = embedded(a.Unmap().WithZone(""))
	switch {
	case a.IsLoopback():
		return loopback
	case a.IsPrivate(), carrierNAT.Contains(a):
		return private
	case !a.IsGlobalUnicast(), a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		return special
	}
	return internet
}

// nat64 and sixToFour are the IPv6 ranges that contain IPv4 addresses; RFC 6052, RFC 3056.
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// embedded is the IPv4 address in an IPv6 address that a gateway translates.
func embedded(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// reachOfHost is how near a host is as far as it can be told without asking the network.
func reachOfHost(host string) reach {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return loopback
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return reachOf(a)
	}
	return internet
}

// checkRedirect refuses to go on for ever, and to an address that is nearer than from.
func checkRedirect(r *http.Request, via []*http.Request, from reach) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("%w: stopped after %d of them", ErrRedirect, maxRedirects)
	}
	if to := reachOfHost(r.URL.Hostname()); to > from {
		return fmt.Errorf("%w to %.100q", ErrAddress, r.URL.Host)
	}
	return nil
}
