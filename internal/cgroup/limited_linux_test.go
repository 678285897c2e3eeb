package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// now reads what a group's limits are, in the words of the kernel.
func (g *Group) now(t *testing.T) string {
	t.Helper()
	var list []string
	for _, c := range limited() {
		d, _ := g.dirOf(c)
		for _, s := range (Limits{CPU: 1}).settings(c, d.v2) {
			if text := words(d.path, s.file); text != nil && !s.try {
				list = append(list, strings.Join(text, " "))
			}
		}
	}
	return strings.Join(list, ", ")
}

func TestLimitsAreRaisedLoweredAndLifted(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, limited()...)
		g := h.make(t, Limits{})
		none := g.now(t)
		var seen []string
		for _, l := range []Limits{
			{64 << 20, 0.5, 10}, {128 << 20, 2, 20}, {32 << 20, 0.25, 5}, {}, {Memory: 16 << 20}, {CPU: 0.01}, {Processes: 1}, {},
		} {
			if err := g.Apply(l); err != nil {
				t.Fatalf("%+v: %v", l, err)
			}
			now := g.now(t)
			if l == (Limits{}) && now != none {
				t.Errorf("lifted: %s, want %s", now, none)
			}
			for _, want := range wanted(l) {
				if !strings.Contains(now, want) {
					t.Errorf("%+v: %s, which lacks %s", l, now, want)
				}
			}
			seen = append(seen, now)
		}
		t.Log(strings.Join(seen, "\n"))
	})
}

// wanted are the numbers that must stand in a group's files.
func wanted(l Limits) []string {
	var list []string
	if l.Memory != 0 {
		list = append(list, fmt.Sprint(l.Memory))
	}
	if l.CPU != 0 {
		list = append(list, fmt.Sprint(int(l.CPU*period)))
	}
	if l.Processes != 0 {
		list = append(list, fmt.Sprint(l.Processes))
	}
	return list
}

func TestProcessesAreBounded(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "pids")
		g := h.make(t, Limits{Processes: 5})
		start(t, g, "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait")
		d, _ := g.dirOf("pids")
		eventually(t, "a refused process", func() bool { return count(words(d.path, "pids.events"), "max") > 0 })
		if pids, err := g.Procs(); len(pids) > 5 || err != nil {
			t.Errorf("%d processes, %v", len(pids), err)
		}
	})
}

func TestMemoryIsBoundedAndTheKillCounted(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "memory")
		g := h.make(t, Limits{Memory: 16 << 20})
		if n := g.OOMKills(); n != 0 {
			t.Fatalf("%d killed before anything ran", n)
		}
		start(t, g, "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do x=$x$x; done; sleep 1000")
		eventually(t, "a kill counted", func() bool { return g.OOMKills() > 0 })
	})
}

func TestUsageAboveTheNewLimit(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "memory")
		g := h.make(t, Limits{})
		if d, _ := g.dirOf("memory"); d.v2 {
			t.Log("version 2 kills instead of refusing")
			return
		}
		start(t, g, "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do x=$x$x; done; sleep 1000")
		d, _ := g.dirOf("memory")
		eventually(t, "32 MiB in use", func() bool { return len(content(t, d.path, "memory.usage_in_bytes")) > len("33554432") })
		err := g.Apply(Limits{Memory: MinMemory})
		var e *Error
		if !errors.Is(err, syscall.EBUSY) || !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("error %v", err)
		}
	})
}

func TestMakeOverAnExistingOneTouchesNothing(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		g := h.make(t, Limits{})
		name := g.dirs[0].name
		if _, err := h.Make(name, Limits{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v", err)
		}
		if _, err := h.Open(name); err != nil {
			t.Error(err)
		}
		if _, err := h.Make(name+"-no/a", Limits{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without the group above: %v", err)
		}
	})
}

// Half of a group is worse than none: what could be made goes when the rest could not.
func TestFailedMakeLeavesNothing(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		name := unique()
		last := h.all()[len(h.all())-1].dir(name)
		if err := os.Mkdir(last.path, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := h.Make(name, Limits{})
		if err := syscall.Rmdir(last.path); err != nil {
			t.Error(err)
		}
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v", err)
		}
		h.absent(t, name)
	})
}

// Programs that know nothing of each other make and remove groups below the one they share.
func TestNestingsAtOnceLeaveNothing(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		var l Limits
		switch {
		case h.inV1("memory") || len(h.trees) == 0:
			l = Limits{Memory: 16 << 20, CPU: 0.5}
		default:
			h.has(t, limited()...)
			l = Limits{16 << 20, 0.5, 10}
		}
		parent := unique()
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				for j := range 20 {
					name := fmt.Sprint(i, "-", j)
					g, err := h.Nest(parent, name, l)
					if err != nil {
						t.Error(err)
						return
					}
					if found := h.Nested(parent, name); len(found.dirs) != len(g.dirs) {
						t.Errorf("found in %d trees, made in %d", len(found.dirs), len(g.dirs))
					}
					if err := g.Destroy(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		h.absent(t, parent)
	})
}

func TestNestMakesOnlyWhatTheLimitsNeed(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "pids")
		parent := unique()
		g, err := h.Nest(parent, "x", Limits{Processes: 9})
		if err != nil {
			t.Fatal(err)
		}
		for _, tree := range h.trees {
			want := slices.Contains(tree.controllers, "pids") || tree.v2 && !h.inV1("pids")
			if got := isDir(filepath.Join(tree.mount, parent)); got != want {
				t.Errorf("in %s: %v, want %v", tree.mount, got, want)
			}
		}
		if err := g.Destroy(t.Context()); err != nil {
			t.Error(err)
		}
		h.absent(t, parent)
	})
}

// An engine that finds what a killed program left knows the name alone.
func TestNestedFindsKillsAndRemoves(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		h.has(t, "pids")
		parent := unique()
		g, err := h.Nest(parent, "x", Limits{Processes: 9})
		if err != nil {
			t.Fatal(err)
		}
		cmd := start(t, g, "sleep 1000 & sleep 1000 & wait")
		begin := time.Now()
		if err := h.Nested(parent, "x").Destroy(timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
		t.Logf("killed and removed in %v", time.Since(begin))
		h.absent(t, parent)
		if err := cmd.Process.Signal(syscall.Signal(0)); err == nil {
			state := content(t, "/proc", fmt.Sprint(cmd.Process.Pid), "stat")
			if !strings.Contains(state, ") Z ") {
				t.Errorf("it lives on: %s", state)
			}
		}
		if err := h.Nested(parent, "x").Destroy(t.Context()); err != nil {
			t.Errorf("where there is nothing: %v", err)
		}
	})
}

// An ordinary user has its groups where it was delegated a part of version 2.
func TestSearchFindsWhatIsElsewhere(t *testing.T) {
	top := fake(t, "a.slice/b/parent/x/cgroup.procs=", "a.slice/parent/y/cgroup.procs=", "x/z=")
	found := tree{mount: top, v2: true}.search("parent", "x")
	if len(found) != 1 || found[0].name != path.Join("a.slice/b/parent/x") {
		t.Errorf("found %+v", found)
	}
}
