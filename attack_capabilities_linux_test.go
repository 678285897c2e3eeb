package caisson_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
	"golang.org/x/sys/unix"
)

// CVE-2022-24769, CVE-2022-27649, CVE-2022-27651, CVE-2022-27652, CVE-2022-29162: inheritable capabilities are left, so
// that a program with inheritable file capabilities gets them. CVE-2018-10856: capabilities are left to a user that is
// not root (T16). Passes when the inheritable and the ambient set are empty by every way to start a program, also if
// the host program's own are not; when root has the profile's capabilities and nobody else any; and when a file with
// capabilities gives none.
func TestAttackT15InheritableCapabilities(t *testing.T) {
	attack(t, func(t *assault) {
		started := func(run func() string) string { return run() }
		if t.privileged() {
			started = inheriting(t)
		}
		none := []string{"CapInh:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n"}
		const app = "00000000000404fb" // see Security
		for _, init := range []bool{false, true} {
			for _, tty := range []*caisson.Winsize{nil, {Rows: 1, Cols: 1}} {
				what := fmt.Sprintf("init %v, terminal %v", init, tty != nil)
				out := started(func() string {
					return t.command("status").with(func(c *caisson.Container) { c.Init, c.TTY = init, tty }).output()
				})
				out = strings.ReplaceAll(out, "\r\n", "\n")
				t.has(what, out, append(none, "CapEff:\t"+app+"\n", "CapPrm:\t"+app+"\n", "CapBnd:\t"+app+"\n")...)
			}
			b := t.command("hold").with(func(c *caisson.Container) { c.Init = init }).start()
			for _, pid := range []string{"self", "1"} {
				out := started(func() string { return b.exec("status", pid) })
				t.has("exec, status of "+pid, out, append(none, "CapEff:\t"+app+"\n", "CapPrm:\t"+app+"\n", "CapBnd:\t"+app+"\n")...)
			}
		}
	})
}

// inheriting runs something on a thread whose capabilities are all inheritable and ambient, as in a host program that
// a careless service manager started.
func inheriting(t *assault) func(func() string) string {
	return func(run func() string) (out string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // for ever: the thread ends with the goroutine
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&header, &data[0]); err != nil {
				t.Error(err)
			}
			for i := range data {
				data[i].Inheritable = data[i].Permitted
			}
			if err := unix.Capset(&header, &data[0]); err != nil {
				t.Error(err)
			}
			for c := range uintptr(41) {
				_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0)
			}
			out = run()
		}()
		<-done
		return out
	}
}

// See T15. Passes when a user that is not root has no capability, whatever the container was given.
func TestAttackT16CapabilitiesOfUsers(t *testing.T) {
	attack(t, func(t *assault) {
		if !t.manyIDs() {
			testneed.SubordinateIDs(t)
		}
		add := []string{"SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN"}
		user := func(c *caisson.Container) { c.User, c.Security.AddCapabilities = "app", add }
		none := []string{"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n"}
		t.has("start", t.command("status").with(user).output(), none...)
		b := t.command("hold").with(user).with(func(c *caisson.Container) { c.Init = true }).start()
		t.has("init", b.exec("status", "1"), none...)
		t.has("exec", b.exec("status"), none...)
		b = t.command("hold").with(func(c *caisson.Container) { c.Security.AddCapabilities = add }).start()
		p := b.Exec("status")
		p.User = "1000:1000"
		out, err := p.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.has("exec as a user in root's container", string(out), none...)
		t.fileCapabilities()
	})
}

// fileCapabilities runs a program whose file has capabilities, which only root can give it.
func (t *assault) fileCapabilities() {
	if os.Geteuid() != 0 {
		return
	}
	vol := t.TempDir()
	if err := os.Chmod(vol, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(vol, "probe")
	if err := attackCopy(testroot.Program(t), program, 0o755); err != nil {
		t.Fatal(err)
	}
	// struct vfs_cap_data, revision 2, effective: cap_setuid both permitted and inheritable; capabilities(7).
	xattr := []byte{1, 0, 0, 2, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(program, "security.capability", xattr, 0); err != nil {
		t.Fatal(err)
	}
	out := t.command("/vol/probe", "status").with(func(c *caisson.Container) {
		c.User, c.Mounts = "app", []caisson.Mount{{Source: vol, Target: "/vol", Suid: true}}
	}).output()
	t.has("a program with file capabilities", out, "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n")
}
