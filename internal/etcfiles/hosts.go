package etcfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const hostsPath = "/etc/hosts"

// standard is what every hosts file begins with. The multicast names are those that Debian and Docker write.
const standard = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::	ip6-localnet
ff00::	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`

// Host is a line of /etc/hosts.
type Host struct {
	Addr  netip.Addr // no zone
	Names []string   // at least one: the canonical name, then aliases
}

// Hosts is the content of /etc/hosts (hosts(5)): localhost, the extra lines in their order, and the host name, so that
// a program can always resolve its own name. If no extra line has the name, it stands for 127.0.0.1.
//
// Errors: *Error.
func Hosts(hostname string, extra ...Host) ([]byte, error) {
	if err := HostnameCheck(hostname); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(standard)
	named, words := false, 0
	for _, h := range extra {
		if words += 1 + len(h.Names); words > maxWords {
			return nil, tooMany(hostsPath)
		}
		if err := h.check(); err != nil {
			return nil, err
		}
		named = named || slices.ContainsFunc(h.Names, func(n string) bool { return strings.EqualFold(n, hostname) })
		fmt.Fprintf(&b, "%s\t%s\n", h.Addr.Unmap(), strings.Join(h.Names, " "))
	}
	if !named && !strings.EqualFold(hostname, "localhost") {
		fmt.Fprintf(&b, "127.0.0.1\t%s\n", hostname)
	}
	return []byte(b.String()), nil
}

func (h Host) check() error {
	first := ""
	if len(h.Names) > 0 {
		first = h.Names[0]
	}
	switch {
	case first == "":
		return badName(hostsPath, first, "an address without a name")
	case !h.Addr.IsValid():
		return &Error{File: hostsPath, Value: first, Reason: "a name without an address", Remedy: "set Addr, as from netip.ParseAddr"}
	case h.Addr.Zone() != "":
		// A zone is any text at all: netip.ParseAddr takes "fe80::1%x\ny".
		return &Error{File: hostsPath, Value: h.Addr.Zone(), Reason: "an address with a zone", Remedy: "leave the zone out: netip.Addr.WithZone"}
	}
	for _, n := range h.Names {
		if reason := nameFault(n); reason != "" {
			return badName(hostsPath, n, reason)
		}
	}
	return nil
}

func tooMany(file string) error {
	return &Error{File: file, Reason: fmt.Sprintf("more than %d words", maxWords), Remedy: "use a name server"}
}
