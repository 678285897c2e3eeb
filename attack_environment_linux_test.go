package caisson_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// CVE-2026-57231, CVE-2020-14370, CVE-2021-3602, CVE-2022-4318, CVE-2026-23953: an environment without values draws the
// host's in, and a line break makes lines of generated files. Passes when no name or value of the host is inside, what
// is not KEY=value is refused, and no control byte is in a generated file.
func TestAttackT17Environment(t *testing.T) {
	attack(t, func(t *assault) {
		t.Setenv("CAISSON_ATTACK", testroot.Secret)
		t.Setenv("LD_PRELOAD_NOT", testroot.Secret)
		b := t.command("hold").start()
		for _, entry := range []string{
			"*", "HOME", "PATH*", "CAISSON_ATTACK", "CAISSON_*", "=x", "=", "", "A=b\x00C=d", "A\nB=c", "\x00", "A\x00=b", "\x1b[2J=x",
			"A=" + strings.Repeat("b", 1<<20),
		} {
			what := fmt.Sprintf("environment entry %.40q", entry)
			_ = t.command("env").with(func(c *caisson.Container) { c.Env = []string{entry} }).refused(what)
			p := b.Exec("env")
			p.Env = []string{entry}
			if out, err := p.CombinedOutput(t.Context()); err == nil || len(out) > 0 {
				t.Errorf("exec, %s: %v %q", what, err, out)
			}
		}
		// A value is the caller's own, line breaks too, but it is in no file.
		lines := "b\nroot::0:0:" + "injected"
		env := t.command("env", "--", "cat", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd").with(func(c *caisson.Container) {
			c.Env, c.Hostname = []string{"A=" + lines, "HOSTNAME=" + lines}, "h"
		}).output()
		first, files, _ := strings.Cut(env, "\n")
		want := fmt.Sprintf("%q", []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "HOSTNAME=" + lines, "A=" + lines})
		if first != want {
			t.Errorf("the environment is %s, want %s", first, want)
		}
		if strings.Contains(files, "injected") {
			t.Errorf("a value is in a generated file:\n%s", files)
		}
		executed := b.exec("env")
		if strings.Contains(executed, "CAISSON") || strings.Contains(executed, testroot.Secret) {
			t.Errorf("the host's environment is in an exec: %s", executed)
		}
		t.noSecret("the program's memory", b.exec("cat", "/proc/1/environ", "/proc/1/cmdline"))
	})
}

// The other texts of a spec, made hostile. Passes when each is refused or means what it says; none is cut at a NUL or
// adds a line to a file.
func TestAttackT17HostileTexts(t *testing.T) {
	attack(t, func(t *assault) {
		t.root.Mkdir("a", 0o755)
		for _, name := range []string{
			"a\n10.0.0.1 bank.example", "a\x00b", "a b", "a\tb", "-a", "a..b", "..", "a/b", "é", strings.Repeat("a", 65), "10.0.0.1", "\x1b[2J", "a#b",
		} {
			_ = t.command("uname").with(func(c *caisson.Container) { c.Hostname = name }).refused(fmt.Sprintf("host name %q", name))
		}
		for _, dir := range []string{"a", "./a", "../a", "/a\x00/../..", "/\x00", "\x00", strings.Repeat("/a", 1<<20)} {
			_ = t.command("cwd").with(func(c *caisson.Container) { c.Dir = dir }).refused(fmt.Sprintf("directory %.40q", dir))
		}
		for _, args := range [][]string{{"\x00"}, {"args", "a\x00b"}, {"/bin/args\x00x"}, {"", "x"}, {"/"}, {"."}, {".."}, {"/bin"}, {strings.Repeat("/bin", 4096)}} {
			_ = t.command(args...).refused(fmt.Sprintf("arguments %.80q", args))
		}
		for _, m := range []caisson.Mount{
			{Source: "/etc\x00", Target: "/vol"}, {Source: "/etc", Target: "/vol\x00/x"}, {Source: "etc", Target: "/vol"}, {Source: "", Target: "/vol"},
			{Source: "/etc", Target: "vol"}, {Source: "/etc", Target: ""}, {Source: "/etc", Target: "/"}, {Source: "/etc", Target: "/.."},
			{Source: "/etc", Target: "/vol/../.."}, {Source: "/does/not/exist", Target: "/vol"}, {Source: "/etc", Target: "/vol", Propagation: "unbindable"},
			{Type: "proc", Target: "/vol"}, {Type: "tmpfs", Source: "/etc", Target: "/vol"}, {Type: "tmpfs", Target: "/vol", Size: -1},
			{Source: "/etc", Target: "/" + strings.Repeat("a", 4096)},
		} {
			_ = t.command("true").with(func(c *caisson.Container) { c.Mounts = []caisson.Mount{m} }).refused(fmt.Sprintf("mount %.80q", fmt.Sprint(m)))
		}
		for _, ns := range []caisson.NamespaceMode{"pid:", "pid:-1", "pid:1/../2", "path:", "path:/etc/passwd", "path:/does/not/exist", "of", "pid:99999999999999999999", "path:/proc/self/ns/user\x00"} {
			_ = t.command("true").with(func(c *caisson.Container) { c.Namespaces.IPC = ns }).refused(fmt.Sprintf("namespace %q", ns))
		}
	})
}

// CVE-2021-43784: lengths overflow in what the host program sends to the container's first process. Passes when 16 MiB
// of environment, arguments, directory, groups or mounts are a typed error or work, and none of them is a panic.
func TestAttackT30LargeSpecs(t *testing.T) {
	attack(t, func(t *assault) {
		big := strings.Repeat("x", 1<<17-3)
		many := slices.Repeat([]string{big}, 128)
		env := make([]string, 128)
		for i := range env {
			env[i] = fmt.Sprintf("K%d=%s", i, big[:1<<17-8])
		}
		mounts := make([]caisson.Mount, 5000)
		for i := range mounts {
			mounts[i] = caisson.Mount{Type: caisson.MountTmpfs, Target: fmt.Sprintf("/vol/%d/%s", i, strings.Repeat("y/", 400))}
		}
		for what, change := range map[string]func(c *caisson.Container){
			"environment":    func(c *caisson.Container) { c.Env = env },
			"arguments":      func(c *caisson.Container) { c.Args = append([]string{"true"}, many...) },
			"many arguments": func(c *caisson.Container) { c.Args = append([]string{"true"}, make([]string, 1<<20)...) },
			"one argument":   func(c *caisson.Container) { c.Args = []string{"true", strings.Repeat(big, 128)} },
			"program":        func(c *caisson.Container) { c.Args = []string{strings.Repeat(big, 128)} },
			"groups":         func(c *caisson.Container) { c.Groups = slices.Repeat([]string{"1"}, 1<<20) },
			"mounts":         func(c *caisson.Container) { c.Mounts = mounts[:attackCount(5000, 300)] },
			"search path": func(c *caisson.Container) {
				c.Args, c.Env = []string{"no-such"}, []string{"PATH=" + strings.Repeat("/a:", 1<<15)}
			},
			"capability": func(c *caisson.Container) { c.Security.AddCapabilities = []string{strings.Repeat(big, 128)} },
			"size of a tmpfs": func(c *caisson.Container) {
				c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/vol", Size: 1<<63 - 1}}
			},
		} {
			out, err := t.command("true").with(change).CombinedOutput(t.Context())
			var e *caisson.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("%s: %.200v, want success or an *Error\n%.200s", what, err, out)
			}
			if err != nil && len(err.Error()) > 1<<16 {
				t.Errorf("%s: the message has %d bytes", what, len(err.Error()))
			}
			if what == "arguments" && !errors.Is(err, syscall.E2BIG) {
				t.Errorf("%s: %.200v, want E2BIG", what, err)
			}
		}
	})
}
