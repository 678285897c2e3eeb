package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The files with the limits lie above the group that the processes are in, where no cgroup namespace begins.
func TestNestKeepsTheLimitsAboveTheProcesses(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "memory", "pids")
		parent, l := unique(), Limits{Memory: 64 << 20, Processes: 9}
		g, err := h.Nest(parent, "x", l)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.Destroy(timeout(t, 10*time.Second)); err != nil {
				t.Error(err)
			}
			h.absent(t, parent)
		})
		for _, file := range g.Tasks() {
			if filepath.Base(filepath.Dir(file)) != insideName {
				t.Errorf("a process joins by %s", file)
			}
		}
		dir, err := g.Directory()
		if err != nil || dir != nil && filepath.Base(dir.Name()) != insideName {
			t.Errorf("a process starts in %v, %v", dir, err)
		}
		if dir != nil {
			_ = dir.Close()
		}
		cmd := start(t, g, "sleep 1000 & wait")
		eventually(t, "two processes", func() bool { pids, _ := g.Procs(); return len(pids) == 2 })
		own := content(t, "/proc", strconv.Itoa(cmd.Process.Pid), "cgroup")
		if n := strings.Count(own, "/"+parent+"/x/"+insideName+"\n"); n != len(g.dirs) {
			t.Errorf("of %d groups it is inside %d:\n%s", len(g.dirs), n, own)
		}
		// Whoever may write to the files within changes nothing above.
		for _, d := range g.dirs {
			for _, file := range []string{"memory.max", "memory.limit_in_bytes", "pids.max"} {
				_ = os.WriteFile(filepath.Join(d.inside().path, file), []byte("-1"), 0)
				_ = os.WriteFile(filepath.Join(d.inside().path, file), []byte("max"), 0)
			}
		}
		now := g.now(t)
		for _, want := range wanted(l) {
			if !slices.Contains(strings.Split(now, ", "), want) {
				t.Errorf("the limits are now %s, which lacks %s", now, want)
			}
		}
	})
}

// What is used within counts above, and so does who is killed for it.
func TestLimitsAboveHoldWithin(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "memory", "pids")
		parent := unique()
		g, err := h.Nest(parent, "x", Limits{Memory: 24 << 20, Processes: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.Destroy(timeout(t, 10*time.Second)); err != nil {
				t.Error(err)
			}
			h.absent(t, parent)
		})
		d, _ := g.dirOf("pids")
		start(t, g, "for i in 1 2 3 4 5 6; do sleep 1000 & done; wait")
		refused := func() bool {
			return count(words(d.path, "pids.events"), "max")+count(words(d.inside().path, "pids.events"), "max") > 0
		}
		eventually(t, "a refused process", refused)
		if pids, err := g.Procs(); len(pids) > 4 || err != nil {
			t.Errorf("%d processes, %v", len(pids), err)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "room", func() bool { pids, _ := g.Procs(); return len(pids) == 0 })
		start(t, g, "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do x=$x$x; done; sleep 1000")
		eventually(t, "a kill counted", func() bool { return g.OOMKills() > 0 })
	})
}

// In version 2 a program sees its limits where its cgroup namespace begins; later changes reach it there.
func TestLimitsAreShownWithin(t *testing.T) {
	top := fake(t, "p/x/memory.max=", "p/x/memory.oom.group=", "p/x/pids.max=", "p/x/cpu.max=",
		"p/x/"+insideName+"/memory.max=", "p/x/"+insideName+"/memory.oom.group=", "p/x/"+insideName+"/pids.max=",
		"p/x/cgroup.controllers=cpu memory pids", "p/x/"+insideName+"/cgroup.procs=")
	g, err := fakeV2(top).Open("p/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(Limits{Memory: 8 << 20, CPU: 0.5}); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(top, "p/x", insideName)
	for _, dir := range []string{in, filepath.Dir(in)} {
		for file, want := range map[string]string{"memory.max": "8388608", "memory.oom.group": "1", "pids.max": "max"} {
			if got := content(t, dir, file); got != want {
				t.Errorf("%s/%s: %q, want %q", dir, file, got, want)
			}
		}
	}
	if got := content(t, in, "cgroup.procs"); got != strconv.Itoa(os.Getpid()) {
		t.Errorf("process added within: %q", got)
	}
	if _, err := os.Stat(filepath.Join(in, "cpu.max")); err == nil {
		t.Error("a file of a controller that is not enabled within was made")
	}
}
