package caisson_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// The environment variables that make a test of this file the other program of another.
const (
	limitedEnv   = "CAISSON_TEST_LIMITED"
	delegatedEnv = "CAISSON_TEST_DELEGATED"
)

// TestRoleLimited holds a limited container until it is killed, if it is told where.
func TestRoleLimited(t *testing.T) {
	dir := os.Getenv(limitedEnv)
	if dir == "" {
		return
	}
	e := &caisson.Engine{Dir: dir}
	c := e.Host().Command("sleep", "1000")
	c.Limits = caisson.Limits{Processes: 10, Memory: 64 << 20}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("id %s\n", c.ID())
	select {}
}

func TestKilledProgramsGroupsAreCleared(t *testing.T) {
	l := caisson.Limits{Processes: 10, Memory: 64 << 20}
	limits(t, l)
	e := engine(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRoleLimited$")
	cmd.Env = append(os.Environ(), limitedEnv+"="+e.Dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := ""
	for lines := bufio.NewScanner(out); id == "" && lines.Scan(); {
		id, _ = strings.CutPrefix(lines.Text(), "id ")
		if len(id) != 64 {
			id = ""
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	groups := groupsOf(id)
	if id == "" || len(groups) == 0 {
		t.Fatalf("container %q has the groups %v", id, groups)
	}
	again := e.Host().Command("true")
	again.Limits = l
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := groupsOf(id); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Version 2 ends the whole container when one of its processes runs out of memory: half a container is
// worse than none.
func TestMemoryLimitKillsTheWholeContainerOnVersion2(t *testing.T) {
	testneed.CgroupV2(t, "memory")
	l := caisson.Limits{Memory: 24 << 20}
	limits(t, l)
	c := engine(t).Host().Command("sh", "-c", "sh -c '"+hog+"'; echo survived")
	c.Limits = l
	out, err := c.Output(t.Context())
	var exit *caisson.ExitError
	if !errors.As(err, &exit) || !exit.OOM || len(out) > 0 {
		t.Errorf("%q, %v", out, err)
	}
}

// An ordinary user who was given a part of version 2 has limits there.
func TestLimitsInADelegatedGroup(t *testing.T) {
	testneed.CgroupV2(t, "memory", "pids")
	l := caisson.Limits{Processes: 10, Memory: 64 << 20}
	limits(t, l)
	given := newGroup(t, l)
	leaf := filepath.Join(given.Path(""), "leaf")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	// What delegation is; cgroup-v2.rst, Model of Delegation.
	for _, file := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		for _, dir := range []string{given.Path(""), leaf} {
			if err := os.Chown(filepath.Join(dir, file), ordinaryUser, ordinaryUser); err != nil {
				t.Fatal(err)
			}
		}
	}
	state, err := os.MkdirTemp("", "caisson-delegated-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	if err := os.Chown(state, ordinaryUser, ordinaryUser); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(leaf)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRoleDelegated$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), delegatedEnv+"="+given.String(), "HOME="+state, "TMPDIR="+state)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: ordinaryUser, Gid: ordinaryUser},
		UseCgroupFD: true, CgroupFD: int(in.Fd()),
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRoleDelegated") {
		t.Errorf("%v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(given.Path(""), "caisson*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRoleDelegated is the ordinary user's program.
func TestRoleDelegated(t *testing.T) {
	given := os.Getenv(delegatedEnv)
	if given == "" {
		return
	}
	e := engine(t)
	c := e.Host().Command("sleep", "1000")
	c.Limits = caisson.Limits{Processes: 5, Memory: 32 << 20}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	group, err := caisson.OpenCgroup(given + "/caisson/" + c.ID())
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := group.Procs(); err != nil || len(pids) != 1 {
		t.Errorf("processes %v, %v", pids, err)
	}
	if got := number(t, filepath.Join(group.Path("pids"), "pids.max"), ""); got != 5 {
		t.Errorf("pids.max is %d", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := caisson.OpenCgroup(given + "/caisson"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group above: %v", err)
	}
}

// An ordinary user without a part of version 2 is told what to do, and keeps nothing.
func TestLimitsNeedPermission(t *testing.T) {
	testneed.Unprivileged(t)
	e := engine(t)
	c := e.Host().Command("true")
	c.Limits = caisson.Limits{Processes: 10}
	err := c.Run(t.Context())
	if err == nil {
		t.Log("this user has been delegated a part of cgroup v2")
		return
	}
	var failed *caisson.Error
	if !errors.As(err, &failed) || failed.Hint == "" ||
		!errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
