// Package environ checks and merges the environments of containers.
//
// An environment is made of what the caller and the image wrote, and of nothing else: no function here reads the
// host program's own environment. That is why an entry without "=" is never taken as "the host's value of this",
// which is how images drew secrets out of hosts (CVE-2026-57231, CVE-2020-14370).
//
// Line breaks in values are allowed to the caller, who passes certificates and keys so, and taken from no image.
// Files are never generated from an environment; the generators of package etcfiles refuse control bytes by
// themselves.
package environ

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultPath is the PATH of a container whose image sets none.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const (
	// maxEntry is the kernel's MAX_ARG_STRLEN, 32 pages of 4 KiB, less the final NUL: execve(2), E2BIG.
	maxEntry = 32*4096 - 1

	// maxTotal is three quarters of the kernel's _STK_LIM: whatever the stack limit, execve(2) gives E2BIG for more
	// arguments and environment together, each entry counted with its NUL and its pointer.
	maxTotal = 6 << 20
)

// Error reports an entry that can not be in an environment.
type Error struct {
	Index  int    // of the entry; -1 if it is about all of them
	Key    string // what stands before "=", or the whole entry without one; values may be secrets and are not told
	Reason string
	Remedy string
}

// Error names the entry, the reason and the remedy.
func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("environment: %s; %s", e.Reason, e.Remedy)
	}
	return fmt.Sprintf("environment entry %d, %q: %s; %s", e.Index, short(e.Key), e.Reason, e.Remedy)
}

// Check returns a caller's environment with each key once: at the place where it first stood, with the value that
// it was last given. An entry is KEY=value. The key has at least one byte and no control bytes; the value has no
// NUL, and may be empty.
//
// Errors: *Error.
func Check(env []string) ([]string, error) {
	out := newList(len(env))
	for i, entry := range env {
		if p := fault(entry); p != nil {
			return nil, p.at(i, entry)
		}
		out.set(entry)
	}
	if err := checkTotal(out.entries); err != nil {
		return nil, err
	}
	return out.entries, nil
}

// Merge returns the image's environment overlaid with the caller's: first the image's keys in their order, then
// what only the caller has. An entry of the image that Check would refuse, or with a line break, is left out, and
// dropped says which and why, one printable line each. An entry of the caller is refused as by Check.
//
// Errors: *Error.
func Merge(image, caller []string) (env, dropped []string, err error) {
	out := newList(len(image) + len(caller))
	for _, entry := range image {
		p := fault(entry)
		if p == nil && strings.ContainsAny(entry, "\r\n") {
			p = &lineBreak
		}
		if p != nil {
			dropped = append(dropped, fmt.Sprintf("%q: %s", short(key(entry)), p.reason))
			continue
		}
		out.set(entry)
	}
	for i, entry := range caller {
		if p := fault(entry); p != nil {
			return nil, nil, p.at(i, entry)
		}
		out.set(entry)
	}
	if err := checkTotal(out.entries); err != nil {
		return nil, nil, err
	}
	return out.entries, dropped, nil
}

// Lookup returns the value of key, the last one if it is there more than once.
func Lookup(env []string, key string) (string, bool) {
	for _, entry := range slices.Backward(env) {
		if k, v, ok := strings.Cut(entry, "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}

// list is an environment with each key once.
type list struct {
	entries []string
	index   map[string]int // key: its place in entries
}

func newList(n int) list {
	n = min(n, 1024) // a hint; the caller's word for a length is not worth more
	return list{entries: make([]string, 0, n), index: make(map[string]int, n)}
}

func (l *list) set(entry string) {
	k := key(entry)
	if i, ok := l.index[k]; ok {
		l.entries[i] = entry
		return
	}
	l.index[k] = len(l.entries)
	l.entries = append(l.entries, entry)
}

// problem is what is wrong with an entry, and what to do.
type problem struct{ reason, remedy string }

var (
	noValue   = problem{`no "="`, "write KEY=value; values are never taken from the host's environment"}
	noKey     = problem{"the key is empty", "write KEY=value"}
	badKey    = problem{"a control byte in the key", "write KEY=value with a printable key"}
	hasNUL    = problem{"a NUL byte in the value", "remove it: execve(2) ends a string there"}
	tooLong   = problem{fmt.Sprintf("longer than %d bytes", maxEntry), "pass it as a file: execve(2) takes no longer string"}
	lineBreak = problem{"a line break in the value", "set it as the caller"}
)

func (p *problem) at(i int, entry string) *Error {
	return &Error{Index: i, Key: key(entry), Reason: p.reason, Remedy: p.remedy}
}

// fault returns what is wrong with an entry, nil if nothing.
func fault(entry string) *problem {
	k, v, ok := strings.Cut(entry, "=")
	switch {
	case !ok:
		return &noValue
	case k == "":
		return &noKey
	case strings.ContainsFunc(k, isControl):
		return &badKey
	case strings.IndexByte(v, 0) >= 0:
		return &hasNUL
	case len(entry) > maxEntry:
		return &tooLong
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func key(entry string) string {
	k, _, _ := strings.Cut(entry, "=")
	return k
}

func checkTotal(env []string) error {
	total := 0
	for _, entry := range env {
		total += len(entry) + 1 + 8
	}
	if total > maxTotal {
		return &Error{Index: -1, Reason: fmt.Sprintf("it has %d bytes, more than %d", total, maxTotal), Remedy: "pass large values as files: execve(2) takes no more"}
	}
	return nil
}

// short cuts what is repeated in a message.
func short(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
