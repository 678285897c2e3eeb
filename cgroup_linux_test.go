package caisson_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// limits needs a host on which this process may set limits, of either cgroup version.
func limits(t *testing.T, l caisson.Limits) {
	t.Helper()
	testneed.Root(t)
	name := groupName()
	group, err := caisson.NewCgroup(name, l)
	if err == nil {
		err = group.Remove(t.Context())
	}
	testneed.Feature(t, "limits", err, "run where these controllers are, on cgroup v2 or v1: internal/guest has them all on v2")
}

func groupName() string { return "caisson-test-" + strings.ToLower(rand.Text()[:8]) }

// groupsOf are the directories of a container's cgroup that there are now, in every hierarchy.
func groupsOf(id string) []string {
	v2, _ := filepath.Glob("/sys/fs/cgroup/caisson/" + id)
	v1, _ := filepath.Glob("/sys/fs/cgroup/*/caisson/" + id)
	return append(v2, v1...)
}

// number reads the number behind a word of a file, or a file of one number for "".
func number(t *testing.T, file, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(b))
	i := 0
	if key != "" {
		i = slices.Index(words, key) + 1
	}
	n, err := strconv.ParseInt(words[i], 10, 64)
	if err != nil {
		t.Fatalf("%s, %s: %v", file, key, err)
	}
	return n
}

// hog doubles a string 24 times, to 256 MiB, and would then end well.
const hog = "x=0123456789abcdef; i=0; while [ $i -lt 24 ]; do x=$x$x; i=$((i+1)); done"

func TestMemoryLimitIsReported(t *testing.T) {
	l := caisson.Limits{Memory: 24 << 20}
	limits(t, l)
	e := engine(t)
	for i := range 10 {
		c := e.Host().Command("sh", "-c", hog)
		c.Limits = l
		err := c.Run(t.Context())
		var exit *caisson.ExitError
		if !errors.As(err, &exit) || !exit.OOM || exit.Signal != syscall.SIGKILL || exit.Code != 137 {
			t.Fatalf("run %d: %v (%+v)", i, err, exit)
		}
		if left := groupsOf(c.ID()); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// The smallest limits that are allowed are enough for a small program.
func TestSmallestLimitsRun(t *testing.T) {
	l := caisson.Limits{Memory: 4 << 20, CPU: 0.1, Processes: 1}
	limits(t, l)
	c := engine(t).Host().Command("echo", "small")
	c.Limits = l
	if out, err := c.Output(t.Context()); err != nil || string(out) != "small\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// Being killed, or ending as if, is not being out of memory.
func TestMemoryLimitIsNotReportedForOtherEnds(t *testing.T) {
	l := caisson.Limits{Memory: 64 << 20}
	limits(t, l)
	e := engine(t)
	for script, signal := range map[string]syscall.Signal{"kill -KILL $$": syscall.SIGKILL, "exit 137": 0} {
		c := e.Host().Command("sh", "-c", script)
		c.Limits, c.Init = l, true // process 1 is immune to its own signals
		err := c.Run(t.Context())
		var exit *caisson.ExitError
		if !errors.As(err, &exit) || exit.OOM || exit.Code != 137 || exit.Signal != signal {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestProcessLimitBoundsAForkBomb(t *testing.T) {
	l := caisson.Limits{Processes: 20}
	limits(t, l)
	c := engine(t).Host().Command("sh", "-c", "i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); echo $i; done; wait")
	c.Limits = l
	out, err := c.Output(t.Context()) // the shell gives up when it cannot make a process
	if err == nil {
		t.Fatalf("sixty processes where twenty are allowed: %s", out)
	}
	lines := strings.Fields(string(out))
	if n := len(lines); n < 10 || n > 19 {
		t.Errorf("%d processes beside the first, want 19 or a few less: %v", n, err)
	}
	if left := groupsOf(c.ID()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The limit of processor time is held against the kernel's own account, in its periods of 100 ms: how long
// the machine lets the test wait for them does not matter.
func TestCPULimit(t *testing.T) {
	const cpu = 0.2
	l := caisson.Limits{CPU: cpu}
	limits(t, l)
	c := engine(t).Host().Command("sh", "-c", "while :; do :; done")
	c.Limits = l
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	group, err := caisson.OpenCgroup("caisson/" + c.ID())
	if err != nil {
		t.Fatal(err)
	}
	stat := filepath.Join(group.Path("cpu"), "cpu.stat")
	used := func() int64 { return number(t, fmt.Sprintf("/proc/%d/schedstat", c.Pid()), "") }
	periods, begin := number(t, stat, "nr_periods"), used()
	if !poll(func() bool { return number(t, stat, "nr_periods") >= periods+20 }) {
		t.Fatalf("no periods: %d", number(t, stat, "nr_periods"))
	}
	spent := time.Duration(used() - begin)
	allowed := time.Duration(float64(number(t, stat, "nr_periods")-periods) * cpu * float64(100*time.Millisecond))
	t.Logf("used %v of %v, throttled %d times", spent, allowed, number(t, stat, "nr_throttled"))
	if spent > allowed*3/2 || spent < allowed/4 {
		t.Errorf("used %v, of which %v are allowed", spent, allowed)
	}
}

// A program executed in a limited container is under its limits too.
func TestExecIsLimited(t *testing.T) {
	l := caisson.Limits{Processes: 10}
	limits(t, l)
	c := engine(t).Host().Command("sleep", "1000")
	c.Limits = l
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	group, err := caisson.OpenCgroup("caisson/" + c.ID())
	if err != nil {
		t.Fatal(err)
	}
	p := c.Exec("sleep", "1000")
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pids, err := group.Procs(); len(pids) != 2 || err != nil {
		t.Errorf("processes %v, %v", pids, err)
	}
}

func TestLimitsLeaveNothing(t *testing.T) {
	l := caisson.Limits{Memory: 64 << 20, CPU: 1, Processes: 50}
	limits(t, l)
	e := engine(t)
	for _, c := range []struct {
		name  string
		made  *caisson.Container
		fails bool
	}{
		{"host image", e.Host().Command("true"), false},
		{"layers", layered(t, e), false},
		{"no such program", e.Host().Command("/no/such"), true},
		{"no such mount", withMount(e.Host().Command("true")), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.made.Limits = l
			err := c.made.Start(t.Context())
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			id := c.made.ID()
			if groups := groupsOf(id); (len(groups) > 0) == c.fails {
				t.Errorf("after the start: %v", groups)
			}
			if err := c.made.Close(); err != nil {
				t.Error(err)
			}
			if groups := groupsOf(id); len(groups) > 0 {
				t.Errorf("after the end: %v", groups)
			}
		})
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// layered is a container whose root is a directory, and so has a writable layer in the state directory. The
// host's programs are mounted into it.
func layered(t *testing.T, e *caisson.Engine) *caisson.Container {
	t.Helper()
	img, err := e.RootFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := img.Command("true")
	for _, dir := range []string{"/bin", "/lib", "/lib64", "/usr"} {
		if exists(dir) {
			c.Mounts = append(c.Mounts, caisson.Mount{Source: dir, Target: dir, ReadOnly: true})
		}
	}
	return c
}

func withMount(c *caisson.Container) *caisson.Container {
	c.Mounts = []caisson.Mount{{Source: "/no/such", Target: "/x"}}
	return c
}

// A container in the host's pid namespace leaves processes that nothing but its cgroup holds together.
func TestCloseKillsWhatTheLimitsHold(t *testing.T) {
	l := caisson.Limits{Processes: 20}
	limits(t, l)
	c := engine(t).Host().Command("sh", "-c", "sleep 1000 & sleep 1000 & echo $!; wait")
	c.Limits, c.Namespaces.PID = l, caisson.NamespaceHost
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if alive(pid) {
		t.Errorf("process %d lives", pid)
	}
	if left := groupsOf(c.ID()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
