package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/testneed"
)

// The tests here are of the kernel's own groups: all of this machine's, and the two versions as if each
// were alone.

// kernels are the hosts to try.
func kernels(t *testing.T, test func(t *testing.T, h *Host)) {
	testneed.Root(t)
	h, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as found", func(t *testing.T) { test(t, h) })
	t.Run("version 1 alone", func(t *testing.T) {
		testneed.CgroupV1(t, "cpu")
		test(t, h.alone(false))
	})
	t.Run("version 2 alone", func(t *testing.T) {
		testneed.CgroupV2(t)
		test(t, h.alone(true))
	})
}

// alone is the host without the other version.
func (h *Host) alone(v2 bool) *Host {
	other := func(t tree) bool { return t.v2 != v2 }
	return &Host{own: h.own, trees: slices.DeleteFunc(slices.Clone(h.trees), other)}
}

// has needs controllers, where the host would have them.
func (h *Host) has(t *testing.T, controllers ...string) {
	t.Helper()
	for _, c := range controllers {
		tree, err := h.treeOf(c)
		testneed.Feature(t, "controller", err, "run where it is compiled in")
		if tree.v2 {
			testneed.CgroupV2(t, c)
		}
	}
}

func (h *Host) inV1(controller string) bool {
	return slices.ContainsFunc(h.trees, func(t tree) bool { return slices.Contains(t.controllers, controller) })
}

func unique() string { return "caisson-test-" + strings.ToLower(rand.Text()[:8]) }

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// make makes a group that the end of the test removes.
func (h *Host) make(t *testing.T, l Limits) *Group {
	t.Helper()
	name := unique()
	g, err := h.Make(name, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Destroy(timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
		h.absent(t, name)
	})
	return g
}

// absent fails if a group is in any tree.
func (h *Host) absent(t *testing.T, name string) {
	t.Helper()
	for _, tree := range h.trees {
		if path := filepath.Join(tree.mount, name); isDir(path) {
			t.Errorf("%s is left behind", path)
		}
	}
}

// start runs a shell script in the group.
func start(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read go; "+script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := timeout(t, 20*time.Second)
	var pause backoff
	for !ok() {
		if err := pause.wait(ctx); err != nil {
			t.Fatalf("%s: still not", what)
		}
	}
}

func TestProcessesAreListedKilledAndTheGroupRemoved(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		g := h.make(t, Limits{})
		cmd := start(t, g, "sleep 1000 & sleep 1000 & wait")
		eventually(t, "three processes", func() bool { pids, _ := g.Procs(); return len(pids) == 3 })
		if pids, err := g.Procs(); !slices.Contains(pids, cmd.Process.Pid) {
			t.Errorf("%d is not in %v, %v", cmd.Process.Pid, pids, err)
		}
		err := g.Remove(timeout(t, 50*time.Millisecond))
		if !errors.Is(err, syscall.EBUSY) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("removing a group with processes: %v", err)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := g.Remove(timeout(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Procs(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("processes of a group that is gone: %v", err)
		}
		for _, again := range []func() error{g.Kill, func() error { return g.Remove(t.Context()) }} {
			if err := again(); err != nil {
				t.Errorf("a second time: %v", err)
			}
		}
	})
}

func TestGroupsBelowGoToo(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		g := h.make(t, Limits{})
		for _, d := range g.dirs {
			if err := os.MkdirAll(filepath.Join(d.path, "a", "b"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		below, err := h.Open(g.dirs[0].name + "/a/b")
		if err != nil {
			t.Fatal(err)
		}
		cmd := start(t, below, "sleep 1000 & wait")
		if pids, err := g.Procs(); !slices.Contains(pids, cmd.Process.Pid) {
			t.Errorf("%d is not in %v, %v", cmd.Process.Pid, pids, err)
		}
		if err := g.Destroy(timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	})
}

// Processes that are always making others are the hard case of killing one by one. There are never many
// of them, limited or not: each waits for its children.
func TestKillReachesWhatIsBeingBorn(t *testing.T) {
	const script = "for i in 1 2 3 4 5 6 7 8; do (while :; do (:); done) & done; wait"
	kernels(t, func(t *testing.T, h *Host) {
		for name, kill := range map[string]func(*Group) error{
			"kill":    func(g *Group) error { return errors.Join(g.Kill(), g.Remove(timeout(t, 20*time.Second))) },
			"destroy": func(g *Group) error { return g.Destroy(timeout(t, 20*time.Second)) },
		} {
			t.Run(name, func(t *testing.T) {
				for range 5 {
					g := h.make(t, Limits{})
					start(t, g, script)
					eventually(t, "many processes", func() bool { pids, _ := g.Procs(); return len(pids) > 8 })
					if err := kill(g); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		t.Run("nothing to hold them", func(t *testing.T) { // neither a freezer nor a limit of processes
			only := &Host{trees: slices.DeleteFunc(slices.Clone(h.trees), func(t tree) bool {
				return slices.Contains(t.controllers, "freezer") || slices.Contains(t.controllers, "pids")
			})}
			for range 5 {
				g := only.make(t, Limits{})
				start(t, g, script)
				eventually(t, "many processes", func() bool { pids, _ := g.Procs(); return len(pids) > 8 })
				if err := g.Destroy(timeout(t, 20*time.Second)); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

func TestFreezeHoldsStill(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		g := h.make(t, Limits{})
		cmd := start(t, g, "while :; do :; done")
		used := func() string {
			f := strings.Fields(content(t, "/proc", fmt.Sprint(cmd.Process.Pid), "schedstat"))
			return f[0] // nanoseconds on a processor
		}
		before := used()
		eventually(t, "running", func() bool { return used() != before })
		if err := g.Freeze(timeout(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		before = used()
		<-timeout(t, 100*time.Millisecond).Done()
		if after := used(); after != before {
			t.Errorf("it ran on while frozen: %s, then %s", before, after)
		}
		if err := g.Thaw(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "running again", func() bool { return used() != before })
	})
}

// A frozen group can be killed, in either version.
func TestKillOfAFrozenGroup(t *testing.T) {
	kernels(t, func(t *testing.T, h *Host) {
		g := h.make(t, Limits{})
		start(t, g, "sleep 1000 & wait")
		if err := g.Freeze(timeout(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := g.Remove(timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	})
}
