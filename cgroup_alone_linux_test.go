package caisson_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// newGroup makes a group that the end of the test removes, with all that is in it.
func newGroup(t *testing.T, l caisson.Limits) *caisson.Cgroup {
	t.Helper()
	group, err := caisson.NewCgroup(groupName(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testneed.Patience(10*time.Second))
		defer cancel()
		if err := errors.Join(group.Kill(), group.Remove(ctx)); err != nil {
			t.Error(err)
		}
	})
	return group
}

// A group without a container limits any process; here by the account of cpuacct, or of version 2.
func TestCgroupAlone(t *testing.T) {
	l := caisson.Limits{CPU: 0.2, Processes: 5, Memory: 64 << 20}
	limits(t, l)
	group := newGroup(t, l)
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	if err := group.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if pids, err := group.Procs(); !slices.Equal(pids, []int{cmd.Process.Pid}) || err != nil {
		t.Errorf("processes %v, %v", pids, err)
	}
	used := func() time.Duration {
		if file := filepath.Join(group.Path("cpuacct"), "cpuacct.usage"); exists(file) {
			return time.Duration(number(t, file, ""))
		}
		return time.Duration(number(t, filepath.Join(group.Path(""), "cpu.stat"), "usage_usec")) * time.Microsecond
	}
	stat := filepath.Join(group.Path("cpu"), "cpu.stat")
	periods, begin := number(t, stat, "nr_periods"), used()
	if !poll(func() bool { return number(t, stat, "nr_periods") >= periods+10 }) {
		t.Fatal("no periods")
	}
	if spent, allowed := used()-begin, time.Duration(number(t, stat, "nr_periods")-periods)*20*time.Millisecond; spent > allowed*3/2 {
		t.Errorf("used %v of %v", spent, allowed)
	}
	if err := group.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := group.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := group.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := group.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("ended with %v", err)
	}
	if err := group.Add(os.Getpid()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("adding to a group that is gone: %v", err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestCgroupErrors(t *testing.T) {
	limits(t, caisson.Limits{})
	group := newGroup(t, caisson.Limits{})
	for what, c := range map[string]struct{ got, want error }{
		"made twice":   {second(caisson.NewCgroup(group.String(), caisson.Limits{})), fs.ErrExist},
		"no group":     {second(caisson.NewCgroup(groupName()+"/a", caisson.Limits{})), fs.ErrNotExist},
		"opened":       {second(caisson.OpenCgroup(groupName())), fs.ErrNotExist},
		"no process":   {group.Add(1 << 29), syscall.ESRCH},
		"process 0":    {group.Add(0), syscall.ESRCH},
		"not a number": {group.Apply(caisson.Limits{Processes: -1}), nil},
	} {
		var e *caisson.Error
		if !errors.As(c.got, &e) || c.want != nil && !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", what, c.got)
		}
	}
}
