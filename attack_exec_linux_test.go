package caisson_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// tracing starts a container that traces what it can.
func (t *assault) tracing(add ...string) *victim {
	return t.command("attach").with(func(c *caisson.Container) { c.Security.AddCapabilities = add }).start()
}

// CVE-2016-9962: a program of the container traces one that enters it, before it executes its own program, and takes
// what it has of the host. The container has CAP_SYS_PTRACE and tries without end, over 2,000 executions (200 by
// default). Passes when it never gets hold of one in a user namespace; and elsewhere, where the kernel lets nothing
// stop it, when what it gets hold of has no descriptor but the program's and the pipe for its errors. The control is a
// program that enters by way of a memfd of the container's own.
func TestAttackT09TracingAnExec(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.tracing("SYS_PTRACE")
		for i := range attackCount(2000, 200) {
			p := b.Exec("true")
			if i%4 == 0 {
				p.TTY = &caisson.Winsize{Rows: 1, Cols: 1}
			}
			if err := p.Run(t.Context()); err != nil && !t.privileged() {
				t.Error(err)
			}
		}
		t.judgeTraced(b, t.privileged())
	})
}

// The same with a container that is started in the process namespace of the attacker, who has the default capabilities.
// Passes when the attacker never gets hold of its first process before that has executed its own program.
func TestAttackT09TracingAStart(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.tracing()
		for range attackCount(1000, 50) {
			c := t.command("true").with(func(c *caisson.Container) {
				c.Namespaces.PID = caisson.NamespaceOf(b.Pid())
				if !t.privileged() { // the process namespace belongs to the attacker's user namespace
					c.Namespaces.User = caisson.NamespaceOf(b.Pid())
				}
			})
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		t.judgeTraced(b, false)
	})
}

// judgeTraced decides what the attacker's reports mean, after naive code has lost. An attacker that may trace
// everything finds the program's files and the pipe.
func (t *assault) judgeTraced(b *victim, everything bool) {
	t.Helper()
	found := map[string]int{}
	naiveEscapes(t, func() (escaped bool) {
		_ = b.Exec("naive").Run(t.Context())
		for {
			select {
			case line := <-b.said:
				escaped = escaped || strings.HasPrefix(line, "attached /memfd:naive")
				found[line]++
				continue
			default:
			}
			return escaped
		}
	})
	for line, n := range found {
		pipe := strings.HasPrefix(line, "descriptor of /memfd:caisson") && strings.HasSuffix(line, " pipe:")
		switch {
		case strings.Contains(line, "naive"):
		case everything && (pipe || strings.HasPrefix(line, "attached ")):
		default:
			t.Errorf("the attacker got, %d times: %s", n, line)
		}
	}
}

// CVE-2014-9357, CVE-2019-14271, CVE-2022-1227, CVE-2026-41567: a program or library of the container's is run or loaded
// with the host's rights. The image has trojans under every name that a start, an execution or a lookup could want.
// Passes when none has run, in the container or outside, and the host program has nothing of the image mapped.
func TestAttackT10Trojans(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for _, dir := range []string{"bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"} {
			for _, name := range []string{
				"xz", "gzip", "unpigz", "tar", "git", "ps", "nsenter", "mount", "umount", "newuidmap", "newgidmap", "getent", "ip", "iptables", "nft",
				"modprobe", "sh", "bash", "id", "init", "tini", "zstd", "docker-init", "catatonit", "fusermount3", "systemd-run",
			} {
				t.root.File(dir+"/"+name, "#!/bin/put /trojan-was-here yes\n", 0o755)
			}
		}
		for _, lib := range []string{"lib/libnss_files.so.2", "lib64/libnss_files.so.2", "usr/lib/libnss_files.so.2", "etc/ld.so.preload", "etc/ld.so.cache", "lib64/ld-linux-x86-64.so.2"} {
			t.root.File(lib, "/lib/libnss_files.so.2", 0o755)
		}
		t.root.File("etc/nsswitch.conf", "passwd: trojan files\nhosts: trojan\n", 0o644)
		for _, init := range []bool{false, true} {
			b := t.command("hold").with(func(c *caisson.Container) {
				c.Init, c.Dir, c.Env = init, "/made/for/it", []string{"PATH=/usr/local/bin:/bin", "LD_PRELOAD=/lib/libnss_files.so.2", "GCONV_PATH=/lib"}
			}).start()
			p := b.Exec("processes", "--", "ls", "/")
			p.User = "root:root"
			out, err := p.CombinedOutput(t.Context())
			must(t, err)
			if strings.Contains(string(out), "trojan") {
				t.Errorf("a trojan ran (init %v):\n%s", init, out)
			}
			for _, line := range strings.Split(string(out), "\n") {
				f := strings.Fields(line)
				if len(f) > 1 && f[1] != "/bin/probe" && f[1] != "/memfd:caisson" && strings.Contains(line, "/") {
					t.Errorf("a process that nobody asked for (init %v): %s", init, line)
				}
			}
			must(t, b.Stop(t.Context()))
		}
		maps, err := os.ReadFile("/proc/self/maps")
		must(t, err)
		if strings.Contains(string(maps), t.root.Dir) || strings.Contains(string(maps), canary.Dir) {
			t.Errorf("the host program has files of the image mapped:\n%s", maps)
		}
	})
}

// An execution takes the container as it finds it. The container replaces what an execution opens: /dev/null, the
// terminals, its own root's directories. Passes when what the program then gets as its standard files is a pipe, a
// terminal or what may be opened in the container without following links, or the execution is refused; in no case does
// it wait, or take a file of the host's.
func TestAttackT09HostileContainerAtExec(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for _, to := range []string{"/etc/passwd", "/proc/1/mem", "/proc/self/fd/3", "/proc/self/exe", "/proc/1/environ", canary.Dir + "/secret", "/dev/ptmx", "fifo", "/"} {
			b := t.command("hold").start()
			b.exec("rm", "/dev/null", "--", "fifo", "/dev/fifo", "--", "symlink", to, "/dev/null", "--", "rm", "/dev/ptmx", "--", "symlink", to, "/dev/ptmx", "--",
				"rm", "/dev/tty", "--", "symlink", to, "/dev/tty", "--", "symlink", to, "/dev/console")
			for _, tty := range []*caisson.Winsize{nil, {Rows: 1, Cols: 1}} {
				p := b.Exec("fds")
				p.TTY = tty
				out, err := p.Output(t.Context())
				var e *caisson.Error
				if err != nil && !errors.As(err, &e) {
					t.Errorf("/dev/null -> %s: %v", to, err)
				}
				t.noSecret(to, string(out)+fmt.Sprint(err))
				for _, line := range strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\r", ""), "\n") {
					_, target, _ := strings.Cut(line, " ")
					if line != "" && target != "/dev/null" && !strings.HasPrefix(target, "pipe:") && !strings.HasPrefix(target, "/dev/pts/") {
						t.Errorf("/dev/null -> %s: a standard file is %s", to, line)
					}
				}
			}
			must(t, b.Close())
		}
	})
}

// What CVE-2016-9962 could get at is the pipe for errors, where a first process also says which number it has. Passes
// when a container with CAP_SYS_PTRACE that forges such records, for a process of the host that it names, makes the host
// program neither wait without end nor do anything to that process, over 500 executions (100 by default).
func TestAttackT09ForgedRecords(t *testing.T) {
	attack(t, func(t *assault) {
		bystander := exec.Command(testroot.Program(t), "hold")
		must(t, bystander.Start())
		ended := make(chan error, 1)
		go func() { ended <- bystander.Wait() }()
		b := t.command("forge", fmt.Sprint(bystander.Process.Pid)).with(func(c *caisson.Container) { c.Security.AddCapabilities = []string{"SYS_PTRACE"} }).start()
		failed := 0
		for range attackCount(500, 100) {
			ctx, cancel := context.WithTimeout(t.Context(), testneed.Patience(5*time.Second))
			err := b.Exec("true").Run(ctx)
			if ctx.Err() != nil {
				t.Fatal("an execution goes on for 5 s", err)
			}
			cancel()
			if err != nil {
				failed++
			}
		}
		if failed > 0 && !t.privileged() {
			t.Errorf("%d executions failed", failed)
		}
		t.Logf("%d records forged, %d executions failed", len(b.said), failed)
		select {
		case err := <-ended:
			t.Errorf("a process of the host was ended: %v", err)
		default:
			must(t, bystander.Process.Kill())
			<-ended
		}
	})
}

// A tracer in the container neither lets a traced process go on nor reaps it, so that the kernel gives its end to nobody
// else; ptrace(2). Passes when an execution whose context is done returns all the same, and when everything can be
// closed: a container, too, that shares the tracer's process namespace.
func TestAttackT09TracerHoldsTheDead(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("trace", "hold")
		next := b.lines()
		if next() != "up" {
			t.Fatal("the attacker does not run")
		}
		ctx, cancel := context.WithCancel(t.Context())
		t.soon("Run", func() error {
			go func() {
				if line := next(); line != "traced" {
					t.Errorf("the attacker says %q", line)
				}
				cancel()
			}()
			if err := b.Exec("hold").Run(ctx); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%w: %w", errors.New("not cancelled"), err)
			}
			return nil
		})
		c := t.command("hold").with(func(c *caisson.Container) {
			c.Namespaces.PID = caisson.NamespaceOf(b.Pid())
			if !t.privileged() {
				c.Namespaces.User = caisson.NamespaceOf(b.Pid())
			}
		})
		must(t, c.Start(t.Context()))
		if line := next(); line != "traced" {
			t.Fatalf("the attacker says %q", line)
		}
		t.soon("Close", c.Close)
		t.soon("Close of the tracer", b.Close)
	})
}

// soon wants something to end within seconds: a tracer is given two.
func (t *assault) soon(what string, do func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(testneed.Patience(8 * time.Second)):
		t.Errorf("%s has not ended after seconds", what)
	}
}
