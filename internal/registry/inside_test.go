package registry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// T50: what a registry leads to, by whatever means, is not nearer to this machine than the registry. For the test
// 127.0.0.1 counts as of the internet, and the canary is on 127.0.0.2.
func TestNothingInside(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.2:0")
	_, port, _ := net.SplitHostPort(c.host())
	for name, set := range map[string]func(f *fake){
		"redirect, manifest": func(f *fake) { f.hook = leads("/manifests/", c.URL) },
		"redirect, blob":     func(f *fake) { f.hook = leads("/blobs/", c.URL) },
		"redirect by name":   func(f *fake) { f.hook = leads("/blobs/", "http://inside.localhost:"+port) },
		"upload elsewhere": func(f *fake) {
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				switch r.Method {
				case http.MethodPost:
					w.Header().Set("Location", c.URL+"/upload")
					w.WriteHeader(http.StatusAccepted)
				case http.MethodHead:
					w.WriteHeader(http.StatusNotFound)
				default:
					return false
				}
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			ref, _ := f.tag("repo", f.image("repo", layerOf("a", "1")))
			s := newStore(t)
			o := f.options()
			o.Insecure = append(o.Insecure, c.host(), "inside.localhost:"+port)
			o.reachOf = func(a netip.Addr) reach {
				if a.String() == "127.0.0.1" {
					return internet
				}
				return loopback
			}
			pull := func() error {
				_, err := Pull(t.Context(), s, ref, o)
				return err
			}
			if name == "upload elsewhere" {
				if err := pull(); err != nil {
					t.Fatal(err)
				}
				pull = func() error {
					_, err := Push(t.Context(), s, ref, f.host+"/other", o)
					return err
				}
			}
			set(f)
			if err := pull(); !errors.Is(err, ErrAddress) || c.conns.Load() != 0 {
				t.Errorf("%v; %d connections", err, c.conns.Load())
			}
		})
	}
}

// leads redirects requests for a part of the path.
func leads(part, to string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, part) {
			http.Redirect(w, r, to+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
}

// T50: the address is looked at after the name, when it is connected to.
func TestDialer(t *testing.T) {
	c := newCanary(t, "")
	o := Options{}
	d := newDialer("registry.example", &o)
	if _, err := d.DialContext(t.Context(), "tcp", c.host()); !errors.Is(err, ErrAddress) || c.conns.Load() != 0 {
		t.Errorf("a registry on the internet leads to %s: %v", c.host(), err)
	}
	o.TokenHosts = []string{c.host()}
	for _, d := range []*dialer{newDialer(c.host(), &Options{}), newDialer("registry.example", &o), newDialer("127.0.0.9:1", &Options{})} {
		conn, err := d.DialContext(context.Background(), "tcp", c.host())
		if err != nil {
			t.Fatalf("%s: %v", d.home, err)
		}
		conn.Close()
	}
	// A registry that shows an address of the internet once is on the internet, whatever its name leads to later.
	d = newDialer("registry.example", &Options{})
	for _, a := range []string{"127.0.0.1:443", "203.0.113.1:443", "127.0.0.1:443"} {
		d.seen(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a)))
	}
	if r := d.allowed(); r != internet {
		t.Errorf("moved inside: %v", r)
	}
	// What is special is for nobody to lead to.
	d = newDialer("169.254.1.1", &Options{})
	if err := d.control("", "169.254.169.254:80", nil); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

func TestReachOf(t *testing.T) {
	for a, want := range map[string]reach{
		"8.8.8.8": internet, "203.0.113.1": internet, "2001:db8::1": internet, "2606:4700::1111": internet,
		"10.1.2.3": private, "172.16.0.1": private, "172.32.0.1": internet, "192.168.0.1": private, "100.64.0.1": private,
		"100.128.0.1": internet, "fd00::1": private, "127.0.0.1": loopback, "127.255.0.1": loopback, "::1": loopback,
		"::ffff:127.0.0.1": loopback, "::ffff:10.0.0.1": private, "169.254.169.254": special, "fe80::1": special,
		"0.0.0.0": special, "0.1.2.3": special, "::": special, "224.0.0.1": special, "ff02::1": special, "255.255.255.255": special,
		"240.0.0.1": special, "64:ff9b::7f00:1": loopback, "64:ff9b::808:808": internet, "2002:a00:1::": private,
	} {
		if got := reachOf(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %d, want %d", a, got, want)
		}
	}
}
