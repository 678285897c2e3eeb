package caisson_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// CVE-2024-9676, CVE-2025-4437, CVE-2026-47262: the image's /etc/passwd or /etc/group is a link to a file of the host,
// a device, a FIFO, or too large. Passes when a user that needs the file is refused in 100 ms and 8 MiB, with nothing of
// the host in the answer, and a number that does not need it works.
func TestAttackT12AccountFiles(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		secret := "evil:x:0:0:" + testroot.Secret + ":/" + testroot.Secret + ":\n"
		for name, file := range accountFiles(t, canary.Dir, secret) {
			file("etc/passwd")
			t.answers("passwd is "+name, "evil")
			file("etc/group")
			t.root.File("etc/passwd", "evil:x:0:0::/:\n", 0o644)
			t.answers("group is "+name, "0:evil")
		}
		t.root.Remove("etc")
		for _, to := range []string{canary.Dir, "../../../../../../.." + canary.Dir, "/proc/self/cwd", "etc"} {
			t.root.Link(to, "etc")
			t.answers("etc is a link to "+to, "evil")
		}
	})
}

// accountFiles are the ways to make a passwd or group file of the root bad.
func accountFiles(t *assault, host, secret string) map[string]func(name string) {
	link := func(to string) func(string) {
		return func(name string) { t.root.Link(to, name) }
	}
	ways := map[string]func(name string){
		"a link to the host":    link(host + "/passwd"),
		"a link up to the host": link(strings.Repeat("../", 40) + host + "/passwd"),
		"a link to zeros":       link("/dev/zero"),
		"a link to standard":    link("/proc/self/fd/0"),
		"a link to itself":      func(name string) { t.root.Link(filepath.Base(name), name) },
		"a FIFO":                func(name string) { t.root.Fifo(name) },
		"a directory":           func(name string) { t.root.Remove(name); t.root.Mkdir(name, 0o755) },
		"sparse":                func(name string) { t.root.Remove(name); t.root.Sparse(name, 4<<30) },
		"long":                  func(name string) { t.root.File(name, strings.Repeat("\n", 10_000_000)+secret, 0o644) },
		"one line":              func(name string) { t.root.File(name, strings.Repeat("a:", 1<<19)+"\n", 0o644) },
		"many lines":            func(name string) { t.root.File(name, strings.Repeat("a:x:1\n", 150_000)+"evil", 0o644) },
	}
	if os.Geteuid() == 0 {
		ways["a device"] = func(name string) {
			t.root.Remove(name)
			if err := syscall.Mknod(t.root.Path(name), syscall.S_IFCHR|0o666, 1<<8|5); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ways
}

// answers wants a user refused fast and cheaply, and the number 0 accepted.
func (t *assault) answers(what, user string) {
	t.Helper()
	var before, after runtime.MemStats
	b := t.command("/bin/true").with(func(c *caisson.Container) { c.User = user })
	runtime.ReadMemStats(&before)
	start := time.Now()
	_ = b.refused(what)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if took > testneed.Patience(100*time.Millisecond) {
		t.Errorf("%s: the answer took %v", what, took)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%s: the answer took %d bytes", what, used)
	}
	t.command("/bin/true").with(func(c *caisson.Container) { c.User = "0:0" }).orRefused(what + ", by number")
}

// The same from inside: a container changes its files while it runs, and the host then executes a program as a user of
// its own. Passes as T12 does, also when the container sees the host's processes and /proc/self would be the host
// program.
func TestAttackT12AccountFilesOfARunningContainer(t *testing.T) {
	attack(t, func(t *assault) {
		// A line that the host program has in /proc, and that would make evil a user with a home.
		comm, err := os.ReadFile("/proc/self/comm")
		if err == nil {
			err = os.WriteFile("/proc/self/comm", []byte("evil:x:0:0::/h"), 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.WriteFile("/proc/self/comm", comm, 0) }()
		for _, pid := range []caisson.NamespaceMode{caisson.NamespaceDefault, caisson.NamespaceHost} {
			b := t.command("hold").with(func(c *caisson.Container) { c.Namespaces.PID = pid }).start()
			for _, to := range []string{
				"/proc/self/comm", "/proc/self/environ", "/proc/1/environ", "/proc/self/fd/0", "/proc/self/root/etc/passwd", "/proc/kmsg", "/dev/zero",
				"/dev/full", "/dev/random", "/dev/tty", "/proc/sysrq-trigger", "/proc/self/mem", fmt.Sprintf("/proc/%d/environ", os.Getpid()),
			} {
				b.exec("rm", "/etc/passwd", "--", "symlink", to, "/etc/passwd")
				t.answersExec(b, "passwd is a link to "+to)
			}
			b.exec("rm", "/etc/passwd", "--", "fifo", "/etc/passwd")
			t.answersExec(b, "passwd is a FIFO")
		}
	})
}

func (t *assault) answersExec(b *victim, what string) {
	t.Helper()
	p := b.Exec("env")
	p.User = "evil"
	start := time.Now()
	out, err := p.CombinedOutput(t.Context())
	if took := time.Since(start); took > testneed.Patience(100*time.Millisecond) {
		t.Errorf("%s: the answer took %v", what, took)
	}
	var e *caisson.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v, want a refusal\n%s", what, err, out)
	}
	t.noSecret(what, string(out)+fmt.Sprint(err))
}

// CVE-2016-3697, CVE-2024-40635, CVE-2026-46680, CVE-2026-30892: a numeric user that overflows, or is looked up as a
// name. Passes when all that is not a plain number from 0 to 4294967294 or a name of the file is refused, a number is
// never a name, and only "", "0" and names of uid 0 are root.
func TestAttackT13NumericUsers(t *testing.T) {
	attack(t, func(t *assault) {
		t.root.File("etc/passwd", "root:x:0:0::/root:\n9999999999:x:0:0::/:\n1000:x:0:0::/:\n-1:x:0:0::/:\n0x0:x:0:0::/:\n"+
			" 0:x:0:0::/:\nover:x:4294967296:0::/:\nminus:x:-1:0::/:\nnone:x::0::/:\nlast:x:4294967295:4294967295::/:\n", 0o644)
		b := t.command("hold").start()
		for _, user := range []string{
			"4294967295", "4294967296", "4294967295:0", "0:4294967295", "-1", "-0", "+0", "1000:99999999999", "0x0", " 0", "0 ", "0\n",
			"0\x00", "9999999999", "00000000000000000000000000000000000000009999999999", "18446744073709551616", "1e0", "०", "over", "minus",
			"none", "last", "root:", ":0", ":", "root:root:root", "root\n", "root/../root", strings.Repeat("9", 1<<20),
		} {
			_ = t.command("status").with(func(c *caisson.Container) { c.User = user }).refused(fmt.Sprintf("user %.40q", user))
			p := b.Exec("status")
			p.User = user
			if out, err := p.CombinedOutput(t.Context()); err == nil || len(out) > 0 {
				t.Errorf("exec as user %.40q: %v\n%s", user, err, out)
			}
		}
		if t.manyIDs() {
			for _, user := range []string{"1000", "01000", "1000:1000"} {
				out := t.command("status").with(func(c *caisson.Container) { c.User = user }).output()
				t.has("user "+user, out, "Uid:\t1000\t1000\t1000\t1000\n")
			}
		}
		if t.privileged() {
			for _, user := range []string{"2147483648", "4294967294"} {
				out := t.command("status").with(func(c *caisson.Container) { c.User = user }).output()
				t.has("user "+user, out, "Uid:\t"+user+"\t"+user+"\t"+user+"\t"+user+"\n", "CapEff:\t0000000000000000\n")
			}
		}
	})
}

// CVE-2022-36109, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995, CVE-2023-25173: supplementary groups are not set, so that
// a file closed to a group can be read by its members, and groups of the host program stay. Passes when a program has
// its primary and the listed groups, exactly, by every way to start it; when a file of mode 0604 is closed to it; and
// when a setgid program changes nothing.
func TestAttackT14SupplementaryGroups(t *testing.T) {
	attack(t, func(t *assault) {
		if !t.manyIDs() {
			// With one id the kernel forbids setgroups(2): what the host program has must be root's only group.
			t.has("groups", t.command("status").output(), "Uid:\t0\t0\t0\t0\n", "Gid:\t0\t0\t0\t0\n")
			return
		}
		vol := t.TempDir()
		b := t.command("hold").with(func(c *caisson.Container) {
			c.Mounts = []caisson.Mount{{Source: vol, Target: "/vol", Suid: true}}
		}).start()
		for name, gid := range map[string]string{"/vol/app": "1000", "/vol/staff": "50"} {
			b.exec("put", name, "closed to the group", "--", "owner", name, "2000", gid, "--", "mode", name, "604")
		}
		for _, c := range []struct {
			user   string
			groups []string
			want   string
		}{
			{"", nil, "0"}, {"root", nil, "0"}, {"app", nil, "50 60 1000"}, {"1000", nil, "50 60 1000"}, {"app", []string{"70"}, "50 60 70 1000"},
			{"app:staff", nil, "50"}, {"1000:1000", nil, "1000"}, {"3000", nil, "0"}, {"3000:4000", []string{"wheel"}, "60 4000"},
		} {
			what := fmt.Sprintf("user %q groups %q", c.user, c.groups)
			out := t.command("status").with(func(x *caisson.Container) { x.User, x.Groups = c.user, c.groups }).output()
			t.has(what, out, "Groups:\t"+c.want+" \n")
			if c.user == "" {
				continue // of an exec it means the container's own
			}
			p := b.Exec("status")
			p.User, p.Groups = c.user, c.groups
			executed, err := p.CombinedOutput(t.Context())
			if err != nil {
				t.Fatal(what, err, string(executed))
			}
			t.has("exec "+what, string(executed), "Groups:\t"+c.want+" \n")
		}
		p := b.Exec("open", "r", "/vol/app", "/vol/staff")
		p.User = "app"
		if out, err := p.Output(t.Context()); err != nil || string(out) != "/vol/app EACCES\n/vol/staff EACCES\n" {
			t.Errorf("a member reads what is closed to its groups: %q %v", out, err)
		}
		if err := attackCopy(testroot.Program(t), filepath.Join(vol, "probe"), 0o755); err != nil {
			t.Fatal(err)
		}
		b.exec("owner", "/vol/probe", "0", "1000", "--", "mode", "/vol/probe", "6755")
		p = b.Exec("/vol/probe", "status")
		p.User = "other"
		out, err := p.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.has("a setgid program", string(out), "Uid:\t2000\t2000\t2000\t2000\n", "Gid:\t2000\t2000\t2000\t2000\n", "Groups:\t60 2000 \n")
	})
}
