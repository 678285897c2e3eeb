package caisson_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// race is a volume in which a container of the attacker's makes a directory and a link to the canary change places.
type race struct {
	canary *testroot.Canary
	vol    string
}

// newRace starts the attacker. With the same volume naive code, which looks before it writes, must write to a second
// canary at least once.
func (t *assault) newRace() *race {
	t.Helper()
	r := &race{canary: testroot.NewCanary(t), vol: t.TempDir()}
	decoy := t.TempDir()
	must(t, os.MkdirAll(r.vol+"/dir/b", 0o755))
	must(t, os.Symlink(r.canary.Dir, r.vol+"/link"))
	must(t, os.MkdirAll(r.vol+"/naive", 0o755))
	must(t, os.Symlink(decoy, r.vol+"/decoy"))
	t.command("flip", "/vol/naive", "/vol/decoy").with(r.mount).start()
	naiveEscapes(t, func() bool {
		at := r.vol + "/naive"
		if info, err := os.Lstat(at); err != nil || !info.IsDir() {
			return false
		}
		_ = os.Mkdir(filepath.Join(at, "x"), 0o755)
		_, err := os.Lstat(decoy + "/x")
		return err == nil
	})
	t.command("flip", "/vol/dir", "/vol/link").with(r.mount).start()
	return r
}

func (r *race) mount(c *caisson.Container) {
	c.Mounts = []caisson.Mount{{Source: r.vol, Target: "/vol"}}
}

// CVE-2021-30465, CVE-2024-45310, CVE-2026-42306, CVE-2026-41568: the target of a nested mount is exchanged for a link
// to the host between its check and the mount. 1,000 starts (40 by default). Passes when the canary is intact. That
// 1,000,000 lookups of the host's own do not leave a root is for the tests of package inroot.
func TestAttackT06MountTargetRace(t *testing.T) {
	attack(t, func(t *assault) {
		r := t.newRace()
		worked := 0
		for i := range attackCount(1000, 40) {
			target := []string{"/vol/dir", "/vol/dir/b", "/vol/dir/new", "/vol/link/b"}[i%4]
			out := t.command("ls", "/vol/dir").with(r.mount).with(func(c *caisson.Container) {
				c.Mounts = append(c.Mounts, caisson.Mount{Source: t.root.Path("bin"), Target: target})
			}).orRefused("a mount at " + target)
			if out != "" {
				worked++
			}
			if strings.Contains(out, "core_pattern") {
				t.Fatalf("the canary can be listed: %s", out)
			}
		}
		t.Logf("%d starts worked", worked)
	})
}

// CVE-2026-55686, as a race: the working directory is made through a directory that is exchanged for a link to the
// host. 1,000 starts and executions (40 by default). Passes when the canary is intact.
func TestAttackT08WorkingDirectoryRace(t *testing.T) {
	attack(t, func(t *assault) {
		r := t.newRace()
		b := t.command("hold").with(r.mount).start()
		for i := range attackCount(1000, 40) / 2 {
			dir := fmt.Sprintf("/vol/dir/b/%d", i)
			out := t.command("cwd").with(r.mount).with(func(c *caisson.Container) { c.Dir = dir }).orRefused(dir)
			p := b.Exec("cwd")
			p.Dir = dir + "/x"
			executed, _ := p.CombinedOutput(t.Context())
			for _, s := range []string{out, string(executed)} {
				if strings.HasPrefix(s, "cwd ") && !strings.Contains(s, "top-is-root true") {
					t.Fatalf("%s: %s", dir, s)
				}
			}
		}
	})
}

// CVE-2025-52565, CVE-2025-31133: what becomes /dev/console, or covers a masked file, is taken by a path in /dev that a
// neighbour exchanges for a link to a file of /proc. The volume is put over /dev and /dev/pts through links of the
// image. 1,000 starts (40 by default). Passes when each start is refused, or /dev/console is a terminal (major 136) of
// the container's own devpts, /dev/null is 1:3, the masked files are, and core_pattern cannot be written to.
func TestAttackT04ConsoleRace(t *testing.T) {
	attack(t, func(t *assault) {
		r := t.newRace()
		for _, name := range []string{"ptmx", "console"} {
			must(t, os.WriteFile(r.vol+"/"+name, nil, 0o666))
			must(t, os.Symlink("/proc/sys/kernel/core_pattern", r.vol+"/"+name+".link"))
			t.command("flip", "/vol/"+name, "/vol/"+name+".link").with(r.mount).start()
		}
		must(t, os.Symlink(".", r.vol+"/pts"))
		t.root.Link("/dev", "d")
		t.root.Link("/dev/pts", "dp")
		for i := range attackCount(1000, 40) {
			target := []string{"/dp", "/d", "/dev/console", "/dev/tty"}[i%4]
			source := r.vol
			if i%4 >= 2 {
				source += "/console"
			}
			out := t.command("stat", "/dev/console", "/dev/null", "/proc/keys", "/proc/kmsg", "--", "open", "w", "/proc/sys/kernel/core_pattern").with(func(c *caisson.Container) {
				c.TTY = &caisson.Winsize{Rows: 1, Cols: 1}
				c.Mounts = []caisson.Mount{{Source: source, Target: target}}
			}).orRefused("a volume at " + target)
			if out == "" {
				continue
			}
			out = strings.ReplaceAll(out, "\r", "")
			for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
				name, rest, _ := strings.Cut(line, " ")
				good := map[string]string{
					"/dev/console": "rdev=136:", "/dev/null": "rdev=1:3 ", "/proc/keys": "rdev=1:3 ", "/proc/kmsg": "rdev=1:3 ",
					"/proc/sys/kernel/core_pattern": "EROFS",
				}[name]
				refused := rest == "ENOENT" || rest == "EACCES" && strings.HasPrefix(name, "/proc/sys/")
				if good == "" || !strings.Contains(rest, good) && !refused || name == "/dev/console" && !strings.Contains(rest, "fs=1cd1") {
					t.Fatalf("a volume at %s: %s", target, line)
				}
			}
		}
	})
}
