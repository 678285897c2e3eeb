package guardian_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/guardian"
	"github.com/caisson-go/caisson/internal/testneed"
)

func TestGuardedProcessesEndWithTheHostProgram(t *testing.T) {
	for _, c := range []struct {
		mode string
		end  func(cmd *exec.Cmd, stdin io.Closer)
	}{
		{"killed", func(cmd *exec.Cmd, _ io.Closer) { _ = cmd.Process.Kill() }},
		{"panic", func(_ *exec.Cmd, stdin io.Closer) { _ = stdin.Close() }},
		{"exit", func(_ *exec.Cmd, stdin io.Closer) { _ = stdin.Close() }},
		{"return", func(_ *exec.Cmd, stdin io.Closer) { _ = stdin.Close() }},
		{"copied", func(cmd *exec.Cmd, _ io.Closer) { _ = cmd.Process.Kill() }},
	} {
		t.Run(c.mode, func(t *testing.T) {
			cmd, stdin, pidfds := startHost(t, c.mode, nil, nil)
			if n := running(t, pidfds); n != guarded {
				t.Fatalf("%d of %d run while the host program does", n, guarded)
			}
			c.end(cmd, stdin)
			_ = cmd.Wait()
			began := time.Now()
			eventually(t, time.Second, "the guarded processes are gone", func() bool { return running(t, pidfds) == 0 })
			t.Logf("%d processes gone %v after the host program", guarded, time.Since(began).Round(10*time.Microsecond))
		})
	}
}

// A host program that executes another lives on, but what it reaps from then on is nothing that the guardian hears
// of: a number in the table would soon be a stranger's. So what it guards ends at once, and not with the program.
func TestGuardedProcessesEndWhenTheHostProgramExecutesAnother(t *testing.T) {
	cmd, stdin, pidfds := startHost(t, "exec", nil, nil)
	guards := children(t, cmd.Process.Pid, "caisson-guard")
	if len(guards) != 1 {
		t.Fatalf("%d guardians", len(guards))
	}
	_ = stdin.Close()
	eventually(t, 5*time.Second, "the guarded processes are gone", func() bool { return running(t, pidfds) == 0 })
	eventually(t, 5*time.Second, "the guardian has ended", func() bool {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", guards[0]))
		return len(stat) == 0 || strings.Contains(string(stat), ") Z ")
	})
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid)); string(name) != "sleep\n" {
		t.Errorf("the host program is %q, %v", name, err)
	}
}

// The control: what is not guarded stays, so the tests above see the guardian's work.
func TestUnguardedProcessesOutliveTheHostProgram(t *testing.T) {
	cmd, _, pidfds := startHost(t, "control", nil, nil)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	time.Sleep(100 * time.Millisecond)
	if n := running(t, pidfds); n != guarded {
		t.Fatalf("%d of %d are left", n, guarded)
	}
}

// A service manager and a terminal signal the whole group or session of the host program.
func TestGuardianOutlivesSignalsToTheGroup(t *testing.T) {
	cmd, _, pidfds := startHost(t, "killed", &syscall.SysProcAttr{Setpgid: true}, nil)
	guards := children(t, cmd.Process.Pid, "caisson-guard")
	if len(guards) != 1 {
		t.Fatalf("%d guardians", len(guards))
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGPIPE} {
		if err := syscall.Kill(guards[0], s); err != nil {
			t.Fatal(err)
		}
	}
	// poll(2) may return early after these two.
	_ = syscall.Kill(guards[0], syscall.SIGSTOP)
	_ = syscall.Kill(guards[0], syscall.SIGCONT)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, time.Second, "the guarded processes are gone", func() bool { return running(t, pidfds) == 0 })
}

// The host program is an ordinary user, what it guards has a subordinate id that the user may not signal
// by user id: only as the owner of the user namespace that it lives in.
func TestGuardedProcessOfASubordinateID(t *testing.T) {
	attr, first, writeMap := subordinate(t)
	var pids []int
	cmd, stdin, pidfds := startHost(t, "user", attr, func(pid int) {
		if err := writeMap(pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	})
	if _, err := stdin.(io.Writer).Write(make([]byte, guarded)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "every process has its subordinate id", func() bool {
		n := 0
		for _, pid := range pids {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if strings.Contains(string(b), fmt.Sprintf("\nUid:\t%d\t", first+5)) {
				n++
			}
		}
		return n == guarded
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, time.Second, "the guarded processes are gone", func() bool { return running(t, pidfds) == 0 })
}

// subordinate says as whom a host program runs, which its first subordinate id is, and how a process of
// its gets ten of them: by newuidmap(1), or, if the test is root, by root as newuidmap would.
func subordinate(t *testing.T) (attr *syscall.SysProcAttr, first int, writeMap func(pid int) error) {
	t.Helper()
	if os.Geteuid() == 0 {
		testneed.Root(t)
		const somebody, first = 61234, 300000
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: somebody, Gid: somebody}}, first,
			func(pid int) error {
				return os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", pid), fmt.Appendf(nil, "0 %d 10", first), 0)
			}
	}
	testneed.SubordinateIDs(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/etc/subuid")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(line, ":"); f[0] == me.Username || f[0] == me.Uid {
			if first, err = strconv.Atoi(f[1]); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	return nil, first, func(pid int) error {
		out, err := exec.Command("newuidmap", strconv.Itoa(pid), "0", strconv.Itoa(first), "10").CombinedOutput()
		if err != nil {
			return fmt.Errorf("newuidmap: %w: %s", err, out)
		}
		return nil
	}
}

func TestFootprint(t *testing.T) {
	g := guardian.New(t.TempDir())
	defer g.Close()
	_, err := g.Add(sleeper(t))
	if err != nil {
		t.Fatal(err)
	}
	guards := children(t, os.Getpid(), "caisson-guard")
	if len(guards) != 1 {
		t.Fatalf("%d guardians", len(guards))
	}
	pss := procKiB(t, guards[0], "smaps_rollup", "Pss:")
	rss := procKiB(t, guards[0], "status", "VmRSS:")
	tables := procKiB(t, guards[0], "status", "VmPTE:")
	t.Logf("the guardian: %d KiB proportional, %d KiB resident, %d KiB page tables", pss, rss, tables)
	if rss >= 64 || pss >= 64 {
		t.Error("it takes 64 KiB or more")
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", guards[0]))
	if err != nil || len(fds) != 3 {
		t.Errorf("it holds %d descriptors, not the pidfd, the table and the socket: %v", len(fds), err)
	}
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", guards[0])); err != nil || dir != "/" {
		t.Errorf("it works in %q: %v", dir, err)
	}
}

// procKiB reads one figure of a process.
func procKiB(t *testing.T, pid int, file, key string) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var n int
		if rest, ok := strings.CutPrefix(lines.Text(), key); ok {
			if _, err := fmt.Sscanf(rest, "%d kB", &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s of process %d has no %s", file, pid, key)
	return 0
}
