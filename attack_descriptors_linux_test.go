package caisson_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// careless opens descriptors that are not closed on exec, low and high: a directory and a file of the host, the root,
// and a socket, as a host program or a library in it may have.
func careless(t *assault, canary string) {
	t.Helper()
	var open []int
	for i := range 24 {
		path := []string{"/", canary, canary + "/secret", "/proc/self/ns/mnt"}[i%4]
		fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, fd)
	}
	for _, high := range []int{500, 999, 1000, 1001} {
		if err := syscall.Dup3(open[0], high, 0); err != nil {
			t.Fatal(err)
		}
		open = append(open, high)
	}
	t.Cleanup(func() {
		for _, fd := range open {
			_ = syscall.Close(fd)
		}
	})
}

// CVE-2024-21626, CVE-2016-9962: descriptors of the host are left open in the container. Passes when a program has the
// descriptors 0, 1 and 2 and those it was given, by every way to start it, and none is a file of the host's that it was
// not given; when an init has one pipe; and when nothing that /proc shows of any process leads out.
func TestAttackT02NoDescriptorIsLeft(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		careless(t, canary.Dir)
		for _, init := range []bool{false, true} {
			for _, tty := range []*caisson.Winsize{nil, {Rows: 10, Cols: 10}} {
				what := fmt.Sprintf("init %v, terminal %v", init, tty != nil)
				shape := func(c *caisson.Container) { c.Init, c.TTY = init, tty }
				out, err := t.command("fds").with(shape).Output(t.Context())
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				t.standard(what, string(out), 3)
				b := t.command("hold").with(shape).start()
				p := b.Exec("fds", "--", "outside")
				p.TTY = tty
				out, err = p.CombinedOutput(t.Context())
				if err != nil {
					t.Fatal(what, err, string(out))
				}
				list, ways, _ := strings.Cut(strings.ReplaceAll(string(out), "\r", ""), "escape")
				t.standard("exec, "+what, strings.TrimSuffix(list, "looked\n"), 3)
				if ways != "" {
					t.Errorf("exec, %s: there is a way out: %s", what, ways)
				}
				t.first(what, b, init)
			}
		}
	})
}

// first looks at the descriptors of the first process.
func (t *assault) first(what string, b *victim, init bool) {
	t.Helper()
	list := strings.ReplaceAll(b.exec("fds", "1"), "\r", "")
	if !init {
		t.standard("first process, "+what, list, 3)
		return
	}
	if f := strings.Fields(list); len(f) != 2 || !strings.HasPrefix(f[1], "pipe:") {
		t.Errorf("the init has %q, want one pipe; %s", list, what)
	}
}

// standard wants a list of descriptors to be 0 to n-1, each a pipe, /dev/null or a terminal of the container.
func (t *assault) standard(what, list string, n int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(list, "\r", "")), "\n")
	if len(lines) != n {
		t.Errorf("%s: descriptors %q, want %d", what, lines, n)
	}
	for i, line := range lines {
		var number int
		var target string
		_, _ = fmt.Sscan(line, &number, &target)
		if number != i || !strings.HasPrefix(target, "pipe:[") && target != "/dev/null" && !strings.HasPrefix(target, "/dev/pts/") {
			t.Errorf("%s: descriptor %q", what, line)
		}
	}
}

// What the host program passes for "nothing" must not be a file of the host's either: root in a container without a
// user namespace could change the mode of the host's /dev/null. Passes when a standard file that the caller left nil
// is not the host's device file, or cannot be changed.
func TestAttackT02StandardFilesAreNotTheHosts(t *testing.T) {
	attack(t, func(t *assault) {
		var null syscall.Stat_t
		if err := syscall.Stat(os.DevNull, &null); err != nil {
			t.Fatal(err)
		}
		host := fmt.Sprintf(" %d %d ok", null.Dev, null.Ino)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		b := t.command("hold").start()
		for what, run := range map[string]func() error{
			"start": func() error {
				c := t.command("stdio-mode").Container
				c.Stdout = w
				return c.Run(t.Context())
			},
			"exec": func() error {
				p := b.Exec("stdio-mode")
				p.Stdout = w
				return p.Run(t.Context())
			},
		} {
			if err := run(); err != nil {
				t.Fatal(what, err)
			}
			buf := make([]byte, 4096)
			n, _ := r.Read(buf)
			if strings.Contains(string(buf[:n]), host) {
				t.Errorf("%s: a program can change the mode of the host's %s: %q", what, os.DevNull, buf[:n])
			}
		}
		_, _ = r.Close(), w.Close()
	})
}

// CVE-2024-21626: the working directory is a descriptor of the host program, through /proc/self/fd/N. Passes when each
// is refused, or the program's directory and everything above it lies in the container.
func TestAttackT02WorkingDirectoryThroughDescriptors(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		careless(t, canary.Dir)
		t.root.Link("/proc/self/fd", "fd")
		t.root.Link("/proc/self", "self")
		t.root.Link("/proc/thread-self/fd/5", "five")
		b := t.command("hold").start()
		dirs := []string{
			"/five", "/proc/self/cwd", "/proc/self/root", "/proc/1/cwd", "/proc/1/root", "/proc/self/task/1/cwd", "/proc/self/cwd/..",
			"/proc/self/root/../../..", "/five/..", "/proc/self/ns/mnt", "/fd/1000/..", "/proc/self/fd/1001/..", "/proc/2/cwd", "/dev/fd/7",
			"/proc/self/fdinfo", "/proc/self/map_files", "/proc/self/fd/../fd/5",
		}
		for n := 3; n <= 64; n++ {
			dirs = append(dirs, fmt.Sprintf("/proc/self/fd/%d", n))
			if n < 16 {
				dirs = append(dirs, fmt.Sprintf("/fd/%d", n), fmt.Sprintf("/self/fd/%d/..", n), fmt.Sprintf("/proc/1/fd/%d", n))
			}
		}
		dirs = dirs[:attackCount(len(dirs), 60)]
		for _, dir := range dirs {
			out := t.command("fds", "--", "cwd").with(func(c *caisson.Container) { c.Dir = dir }).orRefused(dir)
			p := b.Exec("fds", "--", "cwd")
			p.Dir = dir
			executed, err := p.CombinedOutput(t.Context())
			t.noSecret(dir, fmt.Sprint(string(executed), err))
			for _, s := range []string{out, string(executed)} {
				if s != "" && !strings.Contains(s, "top-is-root true") || strings.Contains(s, "unreachable") || strings.Contains(s, canary.Dir) {
					t.Errorf("working directory %s:\n%s", dir, s)
				}
			}
		}
	})
}
