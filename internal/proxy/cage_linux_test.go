package proxy_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

func caged(t testing.TB, dir string, user bool) proxy.Options {
	d, err := os.Open(dir)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	o := proxy.Options{Files: []*os.File{d}}
	c := proxy.Cage{FileSize: 1 << 20}
	if user {
		o.Enter = func(tp *tape.Tape) { tp.Unshare(sys.CLONE_NEWUSER) }
		o.Map = func(pid int) error {
			for _, n := range []string{"uid_map", "gid_map"} {
				if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, n), []byte("0 0 4294967295"), 0); err != nil {
					return err
				}
			}
			return nil
		}
		c.Capabilities = 0xf
	}
	o.Prelude = c.Shut
	return o
}

func BenchmarkCagedStart(b *testing.B) {
	for _, user := range []bool{false, true} {
		b.Run(fmt.Sprint("user=", user), func(b *testing.B) {
			dir := b.TempDir()
			o := caged(b, dir, user)
			for b.Loop() {
				p, err := proxy.Start(o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if c := p.Caged(); c != (proxy.Caged{true, true, true, true}) {
					b.Fatalf("%+v", c)
				}
				b.StartTimer()
				p.Close()
			}
		})
	}
}
