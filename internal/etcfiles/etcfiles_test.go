package etcfiles

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode"
)

var addr = netip.MustParseAddr

func TestHostnameCheck(t *testing.T) {
	l63 := strings.Repeat("a", 63)
	for _, name := range []string{"a", "web-1", "web_1", "Web.Example", "0a1b2c", "123456789012", "localhost", l63, strings.Repeat("ab.", 21) + "a", "xn--bcher-kva.example"} {
		if err := HostnameCheck(name); err != nil {
			t.Errorf("HostnameCheck(%q): %v", name, err)
		}
	}
	for _, name := range bad() {
		var e *Error
		err := HostnameCheck(name)
		if !errors.As(err, &e) || e.Value != name || e.Reason == "" || e.Remedy == "" {
			t.Errorf("HostnameCheck(%.80q) = %v, want Error", name, err)
			continue
		}
		if msg := err.Error(); len(msg) > 500 || strings.ContainsFunc(msg, unicode.IsControl) {
			t.Errorf("message %.100q", msg)
		}
	}
}

// bad are values that are no host names.
func bad() []string {
	l63 := strings.Repeat("a", 63)
	return []string{
		"", " ", ".", "..", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a b", "a\tb", "a\nb", "a\n", "\na", "a\rb", "a\x00b", "a\x7f", "a#b", "a%b", "a/b", "a:b",
		"ä", "é\n", "a\u2028b", "\xff", "１", "1.2.3.4", "127.0.0.1", l63 + "a", l63 + ".a.", strings.Repeat("ab.", 21) + "ab", strings.Repeat("a.", 1<<20),
		"web\n10.0.0.1 bank.example", "b\nroot::0:0",
	}
}

func TestHostname(t *testing.T) {
	if got, err := Hostname("web-1"); string(got) != "web-1\n" || err != nil {
		t.Errorf("Hostname = %q, %v", got, err)
	}
	if got, err := Hostname("a\nb"); got != nil || err == nil {
		t.Errorf("Hostname = %q, %v; want an error", got, err)
	}
}

func TestHosts(t *testing.T) {
	tests := []struct {
		name  string
		extra []Host
		want  string
	}{
		{"web", nil, standard + "127.0.0.1\tweb\n"},
		{"localhost", nil, standard},
		{"web", []Host{{addr("10.0.0.2"), []string{"db", "db_1.net"}}}, standard + "10.0.0.2\tdb db_1.net\n127.0.0.1\tweb\n"},
		{"web", []Host{{addr("10.0.0.3"), []string{"WEB"}}, {addr("fd00::3"), []string{"web"}}}, standard + "10.0.0.3\tWEB\nfd00::3\tweb\n"},
		{"web", []Host{{addr("::ffff:10.0.0.3"), []string{"web"}}}, standard + "10.0.0.3\tweb\n"},
	}
	for _, tt := range tests {
		if got, err := Hosts(tt.name, tt.extra...); err != nil || string(got) != tt.want {
			t.Errorf("Hosts(%q, %v) = %q, %v; want %q", tt.name, tt.extra, got, err, tt.want)
		}
	}
}

func TestHostsRefuses(t *testing.T) {
	good := addr("10.0.0.2")
	cases := []Host{
		{good, nil},
		{netip.Addr{}, []string{"db"}},
		{addr("fe80::1%eth0"), []string{"db"}},
		{addr("fe80::1").WithZone("x\n10.0.0.1 bank"), []string{"db"}},
		{good, make([]string, maxWords)},
	}
	for _, name := range bad() {
		if name != strings.Repeat("ab.", 21)+"ab" { // too long for utsname only
			cases = append(cases, Host{good, []string{"db", name}})
		}
		if got, err := Hosts(name); got != nil || !errors.As(err, new(*Error)) {
			t.Errorf("Hosts(%.40q) = %.80q, %v; want Error", name, got, err)
		}
	}
	for _, h := range cases {
		if got, err := Hosts("web", h); got != nil || !errors.As(err, new(*Error)) {
			t.Errorf("Hosts(web, %.80v) = %.80q, %v; want Error", h, got, err)
		}
	}
}

func TestResolv(t *testing.T) {
	r := Resolver{
		Servers: []netip.Addr{addr("10.0.0.1"), addr("fe80::1%eth0"), addr("::ffff:9.9.9.9")},
		Search:  []string{"example.com", "_svc.internal."},
		Options: []string{"ndots:2", "edns0", "single-request-reopen"},
	}
	const want = "nameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver 9.9.9.9\nsearch example.com _svc.internal.\noptions ndots:2 edns0 single-request-reopen\n"
	if got, err := Resolv(r); err != nil || string(got) != want {
		t.Errorf("Resolv = %q, %v; want %q", got, err, want)
	}
	if got, err := Resolv(Resolver{Search: []string{"."}}); err != nil || string(got) != "search .\n" {
		t.Errorf("Resolv(search .) = %q, %v", got, err)
	}
	if got, err := Resolv(Resolver{}); err != nil || len(got) != 0 {
		t.Errorf("Resolv() = %q, %v", got, err)
	}
	refused := []Resolver{
		{Servers: []netip.Addr{{}}},
		{Servers: []netip.Addr{addr("fe80::1").WithZone("e\nnameserver 6.6.6.6")}},
		{Servers: []netip.Addr{addr("fe80::1").WithZone("e 0")}},
		{Servers: []netip.Addr{addr("fe80::1").WithZone(strings.Repeat("e", 16))}},
		{Search: []string{".", "a"}},
		{Search: []string{""}},
		{Search: []string{"a\nnameserver 6.6.6.6"}},
		{Search: []string{"a b"}},
		{Options: []string{""}},
		{Options: []string{"ndots:2 rotate"}},
		{Options: []string{"ndots:2\n"}},
		{Options: make([]string, maxWords+1)},
	}
	for _, r := range refused {
		if got, err := Resolv(r); got != nil || !errors.As(err, new(*Error)) {
			t.Errorf("Resolv(%.80v) = %.80q, %v; want Error", r, got, err)
		}
	}
}

// FuzzFiles holds that no value of any kind makes a line or a word of its own.
func FuzzFiles(f *testing.F) {
	f.Add("web", "db", "fe80::1%eth0", "ndots:2")
	f.Add("a\nb", "x y", "10.0.0.1", "a\tb")
	f.Fuzz(func(t *testing.T, name, other, address, option string) {
		a, _ := netip.ParseAddr(address)
		if text, err := Hostname(name); err == nil {
			shape(t, text, 1, 1)
		}
		if text, err := Hosts(name, Host{a, []string{other, name}}); err == nil {
			shape(t, text, 7, 17)
		}
		if text, err := Resolv(Resolver{[]netip.Addr{a}, []string{other}, []string{option, option}}); err == nil {
			shape(t, text, 3, 7)
		}
	})
}

func shape(t *testing.T, text []byte, lines, words int) {
	t.Helper()
	s := string(text)
	if strings.Count(s, "\n") != lines || len(strings.Fields(s)) != words || strings.Contains(s, "#") {
		t.Fatalf("%q has not %d lines and %d words", s, lines, words)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r > '~') }) {
		t.Fatalf("%q has bytes that are not printable ASCII", s)
	}
}
