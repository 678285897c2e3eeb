package caisson_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

func TestDetachedRunsAndReports(t *testing.T) {
	e := engine(t)
	for _, init := range []bool{false, true} {
		c := e.Host().Command("sh", "-c", "exit 9")
		c.Detach, c.Init = true, init
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code := caisson.ExitCode(c.Wait(t.Context())); code != 9 {
			t.Fatal(code)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c := e.Host().Command("sleep", "1000")
	c.Detach = true
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Exec("echo", "in").Output(t.Context()); err != nil || string(out) != "in\n" {
		t.Fatal(string(out), err)
	}
	parent := parentOf(t, c.Pid())
	t.Logf("supervisor: %d KiB resident", residentKiB(t, parent))
	if kib := residentKiB(t, parent); kib >= 64 {
		t.Errorf("the supervisor takes %d KiB", kib)
	}
	if err := c.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var exit *caisson.ExitError
	if err := c.Wait(t.Context()); !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) != 0 {
		t.Fatal(left)
	}
	c = e.Host().Command("true")
	c.Detach, c.Stdout = true, &strings.Builder{}
	if err := c.Start(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
}

// parentOf is the parent of a process; proc_pid_stat(5).
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	parent, err := strconv.Atoi(strings.Fields(rest)[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// A detached container lives on when its program is killed, and no engine takes it for abandoned.
func TestDetachedOutlivesItsProgram(t *testing.T) {
	e := engine(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperDetaches$")
	cmd.Env = append(os.Environ(), "CAISSON_DETACH="+e.Dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	pid, err := strconv.Atoi(strings.TrimPrefix(line, "pid "))
	if err != nil {
		t.Fatalf("%q %v", out, err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if !alive(pid) {
		t.Fatal("the container ended with its program")
	}
	img := smallImage(t, e)
	if err := img.Command("/bin/true").Run(t.Context()); err != nil { // sweeps
		t.Fatal(err)
	}
	containers := filepath.Join(e.Dir, "containers")
	if left, _ := os.ReadDir(containers); len(left) != 1 || !alive(pid) {
		t.Fatal("a living container was swept", left)
	}
	supervisor := parentOf(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !poll(func() bool { return !alive(supervisor) }) {
		t.Fatal("the supervisor outlives its container")
	}
	next := &caisson.Engine{Dir: e.Dir}
	img = smallImage(t, next)
	if err := img.Command("/bin/true").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(containers); len(left) != 0 {
		t.Fatal(left)
	}
}

// TestHelperDetaches is the program that ends before its container.
func TestHelperDetaches(t *testing.T) {
	dir := os.Getenv("CAISSON_DETACH")
	if dir == "" {
		return // this is the other process of TestDetachedOutlivesItsProgram
	}
	c := (&caisson.Engine{Dir: dir}).Host().Command("sleep", "1000")
	c.Detach = true
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("pid %d\n", c.Pid())
}
