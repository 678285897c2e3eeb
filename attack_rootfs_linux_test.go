package caisson_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// linksTo are the ways an image can point at a directory of the host.
func linksTo(dir string) []string {
	return []string{dir, strings.Repeat("../", 40) + strings.TrimPrefix(dir, "/"), "/proc/1/root" + dir, "/proc/self/root" + dir, "/dev/fd/5"}
}

// CVE-2026-41579, CVE-2026-47766: the image's /dev or another directory that a start writes to is a symbolic link to
// the host, where it then makes and removes files. Passes when the canary is intact, whatever of the image is a link,
// and each start works or is refused cleanly.
func TestAttackT07DirectoriesAreLinks(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for _, name := range []string{"dev", "etc", "proc", "sys", "run", "tmp", "var", "root", "vol", "dev/pts", "dev/shm", "sys/fs/cgroup", "dev/mqueue"} {
			for _, to := range linksTo(canary.Dir) {
				t.withLink(name, to)
			}
			for _, to := range []string{"/proc", "/proc/self/fd", "/proc/sys/kernel", "/sys", "/dev", "/dev/pts", "/dev/shm", "/", ".", "..", name, "/etc", "/bin"} {
				if attackCount(1, 0) == 1 || name == "dev" || name == "etc" {
					t.withLink(name, to)
				}
			}
		}
		canary.Check()
	})
}

// withLink starts a container whose image has a link in a directory's place.
func (t *assault) withLink(name, to string) {
	t.Helper()
	what := "/" + name + " -> " + to
	t.root.Without(name, func() { t.root.Link(to, name) }, func() {
		b := t.command("/bin/probe", "cat", "/etc/hosts", "/etc/passwd", "/vol/secret", "--", "ls", "/dev", "/dev/pts", "/vol").with(func(c *caisson.Container) {
			c.TTY, c.Dir = &caisson.Winsize{Rows: 1, Cols: 1}, "/var/work/dir"
			c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/run/tmpfs"}, {Source: t.root.Path("bin"), Target: "/vol/x/y"}}
		})
		if out := b.orRefused(what); strings.Contains(out, "core_pattern") && !strings.Contains(to, "/proc/sys") {
			t.Errorf("%s: the host's canary can be listed:\n%s", what, out)
		}
	})
}

// The same with files: what a start mounts or writes over is a link, a FIFO, a socket or a directory of the image's.
// Passes as T07, and when what the container sees at these names is the start's own or the image's, never the host's.
func TestAttackT07FilesAreLinks(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		t.root.Copy(testroot.Program(t), "probe", 0o755)
		for _, name := range []string{"etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/passwd", "etc/group", "dev/null", "dev/console", "dev/ptmx", "dev/.etc-hosts", "dev/.empty", "bin"} {
			for i, to := range append(linksTo(canary.Dir+"/"+filepath.Base(name)), "/proc/self/environ", "/proc/1/mem", "/dev/zero", "/dev/tty", "/proc/sysrq-trigger", name) {
				if i >= attackCount(100, 4) && !strings.HasPrefix(name, "etc/") {
					break
				}
				t.root.Without(name, func() { t.root.Link(to, name) }, func() {
					out := t.command("/probe", "cat", "/etc/hosts", "/etc/hostname").with(func(c *caisson.Container) {
						c.Hostname = "inside"
					}).orRefused("/" + name + " -> " + to)
					if out != "" && !strings.HasSuffix(out, "\tinside\ninside\n") {
						t.Errorf("/%s -> %s: /etc/hosts and /etc/hostname are %q", name, to, out)
					}
				})
			}
			t.withOther(name, "directory")
		}
		for _, name := range []string{"dev", "etc", "proc", "sys"} {
			t.withOther(name, "file")
		}
	})
}

// withOther starts a container in whose image a name is a FIFO, and another kind of file.
func (t *assault) withOther(name, kind string) {
	t.Helper()
	for what, put := range map[string]func(){
		"FIFO":      func() { t.root.Fifo(name) },
		"directory": func() { t.root.Mkdir(name, 0o755) },
		"file":      func() { t.root.File(name, "", 0o600) },
	} {
		if what == "FIFO" || what == kind {
			t.root.Without(name, put, func() { _ = t.command("/probe", "true").orRefused("/" + name + " is a " + what) })
		}
	}
}

// CVE-2025-52881, CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2015-3631: the image or a mount
// covers a part of /proc or /sys, so that what is written to the kernel goes elsewhere. Passes when every mount that
// lands there, by name or through links and "..", is refused, and none is made; and when an image whose own /proc is a
// link or full of files gets the kernel's all the same, or is refused.
func TestAttackT05MountsOverProc(t *testing.T) {
	attack(t, func(t *assault) {
		vol := t.TempDir()
		for link, to := range map[string]string{
			"p": "/proc", "s": "/sys", "self": "/proc/self", "up": "x/../../../proc", "d": "/dev", "dp": "/dev/pts", "far": "p/sys/../sys/../self/attr", "fd": "/proc/self/fd",
		} {
			t.root.Link(to, link)
		}
		t.root.Mkdir("x", 0o755)
		targets := []string{
			"/proc", "/proc/", "//proc", "/proc/self", "/proc/sys", "/proc/self/attr", "/proc/self/attr/exec", "/proc/sys/kernel/core_pattern",
			"/proc/1", "/proc/new", "/proc/self/fd/7", "/proc/keys", "/proc/acpi", "/x/../proc", "/x/../proc/sys", "/./proc/./self", "/x/../../proc", "/../proc",
			"/p", "/p/self", "/p/sys", "/p/sys/kernel/core_pattern", "/p/self/fd/7", "/p/new/er", "/p/sysrq-trigger", "/x/../p/irq", "/self", "/self/attr", "/up/self", "/far", "/fd/3",
			"/sys", "/sys/fs/cgroup", "/sys/kernel", "/s", "/s/kernel", "/s/new", "/x/../s/firmware/../devices",
			"/dev", "/dev/", "/dev/pts", "/dev/pts/0", "/dev/null", "/x/../dev", "/dp", "/dev/ptmx", "/dp/ptmx",
		}
		for _, target := range targets {
			file := t.root.Path("etc/passwd")
			for _, m := range []caisson.Mount{{Source: vol, Target: target}, {Source: file, Target: target}, {Type: caisson.MountTmpfs, Target: target}} {
				err := t.command("true").with(func(c *caisson.Container) { c.Mounts = []caisson.Mount{m} }).refused("a mount at " + target)
				if errors.Is(err, syscall.ENOTDIR) && strings.HasSuffix(target, "/proc") {
					t.Log(err)
				}
			}
		}
		if left, err := os.ReadDir(vol); err != nil || len(left) > 0 {
			t.Errorf("something was made in the volume: %v %v", left, err)
		}
		r := testroot.New(t)
		r.File("proc/self/attr/exec", "image", 0o666)
		r.File("proc/sys/kernel/core_pattern", "image", 0o666)
		r.File("proc/1/root/x", "image", 0o666)
		out := t.commandIn(r.Dir, "stat", "/proc/self/attr", "/proc/sys/kernel/core_pattern", "--", "cat", "/proc/sys/kernel/core_pattern").output()
		t.has("an image with files in /proc", out, "/proc/sys/kernel/core_pattern mode=100644")
		if strings.Contains(out, "image") || strings.Count(out, "fs=9fa0") < 1 {
			t.Errorf("/proc is not the kernel's:\n%s", out)
		}
	})
}

// A mount's target is not only a link in the image, but in another mount, made by whoever fills that volume. Passes
// when it lands in the container, or is refused, and the canary is intact.
func TestAttackT06NestedMountTargets(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for i, to := range append(linksTo(canary.Dir), "/proc/sys", "/proc/self/fd/5", "/proc/self/cwd", "/dev/pts", "self", "/etc", "/dev/shm") {
			vol := t.TempDir()
			must(t, os.Symlink(to, vol+"/self"))
			must(t, os.Symlink(to, vol+"/b"))
			for _, target := range []string{"/vol/b", "/vol/b/c", "/vol/self/../b/secret", "/vol/new/b/../../b"} {
				out := t.command("ls", "/vol/b", "/vol/b/c").with(func(c *caisson.Container) {
					c.Mounts = []caisson.Mount{{Source: vol, Target: "/vol"}, {Source: t.root.Path("bin"), Target: target}}
					c.ReadOnly = i%2 == 0
				}).orRefused(target + " with b -> " + to)
				if strings.Contains(out, "core_pattern") && !strings.HasPrefix(to, "/proc/sys") {
					t.Errorf("%s with b -> %s: %s", target, to, out)
				}
			}
		}
	})
}

// CVE-2026-55686: a working directory that is made leads through a link of the image to the host, and is made and given
// to the user there. Passes when the canary is intact.
func TestAttackT08WorkingDirectoryIsMade(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for _, to := range append(linksTo(canary.Dir), "../../canary", "/proc/1/cwd", "/proc/sys/kernel") {
			t.root.Link(to, "a")
			t.root.Link("a", "l")
			for _, dir := range []string{"/a/b", "/a/new", "/l/new/er", "/a/../a/x", "/a", "/a/b/../../../x", "/new/../a/y"} {
				for _, user := range []string{"", "app"} {
					if user != "" && !t.privileged() {
						continue
					}
					_ = t.command("cwd").with(func(c *caisson.Container) { c.Dir, c.User = dir, user }).orRefused(fmt.Sprintf("%s with a -> %s", dir, to))
				}
			}
		}
	})
}
