package etcfiles

import (
	"fmt"
	"net/netip"
	"strings"
)

const resolvPath = "/etc/resolv.conf"

// maxInterface is IFNAMSIZ less the NUL.
const maxInterface = 15

// Resolver is what /etc/resolv.conf says (resolv.conf(5)).
type Resolver struct {
	Servers []netip.Addr // in order of preference; glibc and musl ask the first three
	Search  []string     // domains that short names are tried in; "." alone: none, and no default either
	Options []string     // such as "ndots:2" or "edns0"
}

// Resolv is the content of /etc/resolv.conf. Without servers it has no server line, and libc asks 127.0.0.1.
//
// Errors: *Error.
func Resolv(r Resolver) ([]byte, error) {
	if len(r.Servers)+len(r.Search)+len(r.Options) > maxWords {
		return nil, tooMany(resolvPath)
	}
	var b strings.Builder
	for _, a := range r.Servers {
		if err := checkServer(a); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "nameserver %s\n", a.Unmap())
	}
	for _, d := range r.Search {
		if d == "." && len(r.Search) == 1 {
			continue
		}
		if reason := nameFault(strings.TrimSuffix(d, ".")); reason != "" {
			return nil, badName(resolvPath, d, reason)
		}
	}
	for _, o := range r.Options {
		if o == "" || len(o) > maxLabel || !only(o, ":-_") {
			return nil, &Error{File: resolvPath, Value: o, Reason: "not an option", Remedy: "write one as resolv.conf(5) has it, as in ndots:2"}
		}
	}
	if len(r.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.Search, " "))
	}
	if len(r.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.Options, " "))
	}
	return []byte(b.String()), nil
}

// checkServer allows a zone, which a link-local server needs, but only one that is an interface's name: a zone is
// otherwise any text at all.
func checkServer(a netip.Addr) error {
	zone := a.Zone()
	switch {
	case !a.IsValid():
		return &Error{File: resolvPath, Reason: "a server without an address", Remedy: "fill Servers, as from netip.ParseAddr"}
	case zone != "" && (len(zone) > maxInterface || !only(zone, ".-_")):
		return &Error{File: resolvPath, Value: zone, Reason: "a zone that is no interface's name", Remedy: "write the address as in fe80::1%eth0"}
	}
	return nil
}
