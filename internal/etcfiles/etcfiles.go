// Package etcfiles generates the files that an engine puts into a container's /etc: hostname, hosts and resolv.conf.
//
// Each file is lines of words, so one byte too many in a word is another line: "web\n10.0.0.1 bank.example" as a host
// name would add an address, and in other engines such a value added a user (CVE-2021-3602, CVE-2022-4318). Words
// are therefore checked against the grammar of what they are, addresses are printed from their parsed form, and
// nothing is quoted, cut or cleaned: what is not right is refused.
package etcfiles

import (
	"fmt"
	"net/netip"
	"strings"
)

const (
	// maxHostname is __NEW_UTS_LEN, what sethostname(2) takes.
	maxHostname = 64

	// maxDomain and maxLabel are those of RFC 1035, section 2.3.4, without the root's own label.
	maxDomain = 253
	maxLabel  = 63

	// maxWords bounds the names, servers and options of one file.
	maxWords = 1 << 14
)

// Error reports a value that can not be in a generated file.
type Error struct {
	File   string // "/etc/hosts"; "" if it is about the host name itself
	Value  string // as given
	Reason string
	Remedy string
}

// Error names the file, the value, the reason and the remedy.
func (e *Error) Error() string {
	value := e.Value
	if len(value) > maxHostname {
		value = value[:maxHostname] + "…"
	}
	what := "host name"
	if e.File != "" {
		what = e.File
	}
	return fmt.Sprintf("%s: %q: %s; %s", what, value, e.Reason, e.Remedy)
}

// HostnameCheck reports whether name can be a container's host name: labels of letters, digits, "-" and "_", of 63
// bytes at most and with no "-" at either end, joined by dots; 64 bytes in all, which is what the kernel's
// utsname holds; and no IP address (RFC 1123, section 2.1). The "_" is not RFC 1123's, but containers are named
// with it and everything that resolves names takes it.
//
// Errors: *Error.
func HostnameCheck(name string) error {
	reason := nameFault(name)
	if reason == "" && len(name) > maxHostname {
		reason = fmt.Sprintf("longer than the kernel's %d bytes", maxHostname)
	}
	if reason != "" {
		return badName("", name, reason)
	}
	return nil
}

func badName(file, name, reason string) error {
	return &Error{File: file, Value: name, Reason: reason, Remedy: "use letters, digits, - and _, in labels joined by dots, as in web-1.example"}
}

// nameFault says what keeps name from being a host's or domain's, "" if nothing does.
func nameFault(name string) string {
	switch {
	case name == "":
		return "empty"
	case len(name) > maxDomain:
		return fmt.Sprintf("longer than %d bytes", maxDomain)
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "an empty label"
		case len(label) > maxLabel:
			return fmt.Sprintf("a label longer than %d bytes", maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return `a label that begins or ends with "-"`
		case !only(label, "-_"):
			return "a byte that is not a letter, digit, - or _"
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "an IP address, not a name"
	}
	return ""
}

// only reports whether s has ASCII letters, digits and the bytes of more, and nothing else.
func only(s, more string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(more, c) >= 0) {
			return false
		}
	}
	return true
}

// Hostname is the content of /etc/hostname.
//
// Errors: *Error, as from HostnameCheck.
func Hostname(name string) ([]byte, error) {
	if err := HostnameCheck(name); err != nil {
		return nil, err
	}
	return []byte(name + "\n"), nil
}
