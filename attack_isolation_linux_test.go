package caisson_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
	"golang.org/x/sys/unix"
)

// The mount table of a container. Passes when each mount is one that the plan makes, of a filesystem that is the
// container's own, or the device files of the host, or the caller's volume; nothing else of the host, nor a path to it
// in a source. Attacks of CVE-2016-9962's kind begin with what is mounted.
func TestAttackMountTableHasNothingOfTheHost(t *testing.T) {
	attack(t, func(t *assault) {
		vol := t.TempDir()
		for _, c := range []struct {
			what string
			b    *victim
		}{
			{"directory", t.command("cat", "/proc/self/mountinfo")},
			{"joined", t.command("cat", "/proc/self/mountinfo").with(func(c *caisson.Container) { c.Namespaces.Net, c.Namespaces.IPC = "host", "host" })},
			{"terminal", t.command("cat", "/proc/self/mountinfo").with(func(c *caisson.Container) { c.TTY = &caisson.Winsize{Rows: 1, Cols: 1} })},
		} {
			c.b.Mounts = []caisson.Mount{{Source: vol, Target: "/vol"}}
			c.b.Args = append(c.b.Args, "--", "args", "cgroups", "--", "ls", "/sys/fs/cgroup")
			table, cgroups, _ := strings.Cut(strings.ReplaceAll(c.b.output(), "\r", ""), "[\"cgroups\"]\n")
			hidden := strings.TrimSpace(cgroups) == "" || cgroups == "/sys/fs/cgroup ENOENT\n"
			for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
				if !t.ownMount(line, vol) && !(hidden && strings.Contains(line, " /sys/fs/cgroup")) {
					t.Errorf("%s: %s", c.what, line)
				}
			}
		}
	})
}

// ownMount judges a line of mountinfo; proc_pid_mountinfo(5).
func (t *assault) ownMount(line, vol string) bool {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 6 || len(g) < 2 {
		return false
	}
	root, at, kind, source := f[3], f[4], g[0], g[1]
	switch {
	case strings.HasPrefix(line[strings.Index(line, f[5])+len(f[5]):], " shared:"), strings.Contains(before, " master:"):
		return false // it would be told of mounts elsewhere, or tell of its own
	case at == "/vol":
		return strings.HasSuffix(vol, root) || root == "/"
	case at == "/":
		return kind == "overlay" && root == "/" && strings.Contains(f[5], "nosuid") && strings.Contains(f[5], "nodev")
	case kind == "devtmpfs":
		// Without privilege there is no mknod: these device files are the host's, and so are the masks made of one.
		return !t.privileged() && strings.Contains("/null /zero /full /random /urandom /tty", root) && root != "/"
	case kind == "tmpfs", kind == "devpts", kind == "mqueue":
		return source == "none" && strings.Contains(f[5], "nosuid")
	case kind == "proc":
		return source == "none" && (at == "/proc" || strings.HasPrefix(at, "/proc/") && strings.HasPrefix(f[5], "ro,"))
	case strings.HasPrefix(at, "/sys/kernel/"), strings.HasPrefix(at, "/sys/fs/"):
		// With the host's network and no privilege /sys can only be a copy of the host's, with all that is mounted
		// below it: read-only, and covered by a mask where it tells anything (TestAttackKernelFilesAreClosed).
		return !t.privileged() && strings.HasPrefix(f[5], "ro,")
	case kind == "sysfs", kind == "cgroup2":
		return strings.HasPrefix(at, "/sys") && strings.HasPrefix(f[5], "ro,") && (source == "none" || source == "sysfs")
	}
	return false
}

// CVE-2025-31133, CVE-2022-0492 and what /proc and /sys give root without a user namespace. Passes when every masked
// file is the device 1:3 and every masked directory is empty and read-only; when of all files in /proc and /sys those
// alone can be opened for writing that are harmless; and when nothing can be made anywhere in them.
func TestAttackKernelFilesAreClosed(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("hold").with(func(c *caisson.Container) {
			c.Security.AddCapabilities = []string{"DAC_READ_SEARCH", "SYS_PTRACE", "MKNOD"}
		}).start()
		t.masks(b)
		out := b.exec("writable", "/proc", "/sys")
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			f := strings.Fields(line)
			if len(f) > 1 && (f[0] == "dir" || !harmless[f[1]]) {
				t.Errorf("can be written to: %s", line)
			}
		}
		out = b.exec("open", "w", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
			"/proc/sys/fs/binfmt_misc/register", "/proc/irq/0/smp_affinity", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
			"/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward")
		if strings.Contains(out, " ok") {
			t.Errorf("the kernel's settings can be written to:\n%s", out)
		}
	})
}

// harmless are files of /proc that root may open for writing: without the capability that the file asks for, writing
// fails, or it concerns the writer alone.
var harmless = map[string]bool{
	"/proc/pressure/cpu": true, "/proc/pressure/io": true, "/proc/pressure/memory": true, "/proc/pressure/irq": true, // psi.rst
	"/proc/mtrr": true, // CAP_SYS_ADMIN at every write; x86/mtrr.rst
}

// masks looks at what must be masked, if the kernel has it.
func (t *assault) masks(b *victim) {
	t.Helper()
	files := []string{
		"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg", "/proc/kallsyms", "/proc/timer_list", "/proc/sched_debug", "/proc/interrupts",
		"/proc/modules", "/proc/config.gz", "/proc/pagetypeinfo", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/slabinfo",
		"/proc/vmallocinfo", "/proc/iomem", "/proc/ioports", "/sys/kernel/notes",
	}
	for _, line := range strings.Split(strings.TrimSpace(b.exec(append([]string{"stat"}, files...)...)), "\n") {
		if !strings.Contains(line, " rdev=1:3 ") && !strings.HasSuffix(line, " ENOENT") {
			t.Errorf("not masked: %s", line)
		}
	}
	for _, dir := range []string{
		"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/kernel/debug", "/sys/kernel/tracing",
		"/sys/kernel/security", "/sys/fs/bpf", "/sys/module",
	} {
		out := b.exec("stat", dir, "--", "ls", dir, "--", "put", dir+"/x", "")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if strings.HasSuffix(lines[0], " ENOENT") {
			continue
		}
		last := lines[len(lines)-1]
		// A directory that was removed under its mount has no list; getdents(2).
		listed := len(lines) == 2 || len(lines) == 3 && lines[1] == dir+" ENOENT"
		if !listed || last != dir+"/x EROFS" && last != dir+"/x ENOENT" {
			t.Errorf("not masked: %s", out)
		}
	}
}

// The masks and the read-only paths must be there or the start must fail, also where a descriptor more than the host
// program's limit is asked for. Passes when each start under each limit does either.
func TestAttackMasksUnderADescriptorLimit(t *testing.T) {
	attack(t, func(t *assault) {
		var old syscall.Rlimit
		must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
		defer func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)) }()
		worked, failed := 0, 0
		for limit := uint64(64); limit > 3; limit -= uint64(attackCount(1, 2)) {
			b := t.command("stat", "/proc/keys", "/proc/kmsg", "/sys/firmware", "/sys/module", "--", "open", "w", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity")
			must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: old.Max}))
			out, err := b.CombinedOutput(t.Context())
			must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
			if err != nil {
				failed++
				continue
			}
			worked++
			for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				masked := strings.Contains(line, "rdev=1:3") || strings.Contains(line, "mode=40555 ") || strings.HasSuffix(line, " ENOENT")
				if !masked && !strings.HasSuffix(line, " EROFS") && !strings.HasSuffix(line, " EACCES") {
					t.Errorf("with %d descriptors: %s", limit, line)
				}
			}
		}
		t.Logf("%d starts worked, %d failed", worked, failed)
		if worked == 0 || failed == 0 {
			t.Errorf("the limits are not around what a start needs: %d worked, %d failed", worked, failed)
		}
	})
}

// Processes of the host. Passes when a container sees its own alone.
func TestAttackNoProcessOfTheHostIsVisible(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("hold").with(func(c *caisson.Container) { c.Init = true }).start()
		out := strings.TrimSpace(b.exec("processes"))
		lines := strings.Split(out, "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "1 /memfd:caisson") {
			t.Errorf("the init, the program and this one are there: %q", lines)
		}
		if out := b.exec("outside"); out != "looked\n" {
			t.Errorf("there is a way out: %s", out)
		}
	})
}

// CVE-2017-5226: a program pushes input into the host's terminal by TIOCSTI, or pastes into it by TIOCLINUX. The
// terminal controls a session of the host's, and is handed over as standard files, as a caller does who passes
// os.Stdin. Passes when it receives nothing.
func TestAttackT28TerminalInput(t *testing.T) {
	attack(t, func(t *assault) { t.injects(true, nil) })
}

// The same where the kernel alone does not refuse it: to a program with CAP_SYS_ADMIN, and with a terminal that
// controls no session, which the program can make its own. Passes when the terminal receives nothing, which takes a
// filter of both calls.
func TestAttackT28TerminalInputIsFiltered(t *testing.T) {
	attack(t, func(t *assault) {
		t.injects(true, []string{"SYS_ADMIN", "SYS_TTY_CONFIG"})
		t.injects(false, nil)
	})
}

func (t *assault) injects(controlling bool, add []string) {
	t.Helper()
	for _, init := range []bool{false, true} {
		slave := terminal(t, controlling)
		err := t.command("inject").with(func(c *caisson.Container) {
			c.Stdin, c.Stdout, c.Stderr, c.Init, c.Security.AddCapabilities = slave, slave, slave, init, add
		}).Run(t.Context())
		if n := waiting(t, slave); n > 0 || err != nil {
			t.Errorf("the host's terminal (controlling %v, init %v, capabilities %v) received %d bytes; %v", controlling, init, add, n, err)
		}
	}
}

// terminal makes a pseudoterminal whose input can be read byte by byte, and that may be the controlling terminal of a
// session, as a user's is.
func terminal(t testing.TB, controlling bool) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	testneed.Feature(t, "pseudoterminal", err, "mount devpts on /dev/pts with ptmxmode=666")
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	testneed.Feature(t, "pseudoterminal", err, "mount devpts on /dev/pts")
	termios, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(t, err)
	termios.Lflag &^= unix.ICANON | unix.ECHO
	must(t, unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, termios))
	t.Cleanup(func() { _, _ = master.Close(), slave.Close() })
	if controlling {
		shell := exec.Command(testroot.Program(t), "hold")
		shell.Stdin, shell.Stdout = slave, slave
		shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		must(t, shell.Start())
		_, _ = master.Read(make([]byte, 2)) // it says that it is up
		t.Cleanup(func() { _, _ = shell.Process.Kill(), shell.Wait() })
	}
	return slave
}

// waiting is how many bytes of input a terminal has.
func waiting(t testing.TB, f *os.File) int {
	t.Helper()
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	must(t, err)
	return n
}
