package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake makes directories with files, given as "path=content", in place of cgroup filesystems.
func fake(t *testing.T, files ...string) string {
	t.Helper()
	top := t.TempDir()
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fakeV2(top string) *Host { return &Host{trees: []tree{{mount: top, root: "/", v2: true}}} }

func TestApplyWritesVersion2(t *testing.T) {
	top := fake(t, "cgroup.controllers=cpu memory pids", "cgroup.subtree_control=pids",
		"a/cgroup.controllers=pids cpu memory", "a/cgroup.subtree_control=pids",
		"a/b/cgroup.controllers=", "a/b/memory.max=", "a/b/memory.oom.group=", "a/b/pids.max=", "a/b/cpu.max=")
	g, err := fakeV2(top).Open("/a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(Limits{Memory: 8 << 20, Processes: 7}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"cgroup.subtree_control": "+memory", "a/cgroup.subtree_control": "+memory", // pids is there already
		"a/b/memory.max": "8388608", "a/b/memory.oom.group": "1", "a/b/pids.max": "7", "a/b/cpu.max": "max",
	} {
		if got := content(t, top, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(top, "a/b/memory.swap.max")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the missing file for swap: %v", err)
	}
}

func TestApplyWritesHybrid(t *testing.T) {
	top := fake(t, "unified/cgroup.controllers=pids", "unified/cgroup.subtree_control=pids",
		"unified/j/cgroup.controllers=pids", "unified/j/pids.max=",
		"memory/j/memory.limit_in_bytes=", "memory/j/memory.memsw.limit_in_bytes=", "cpu/x=")
	h := &Host{trees: []tree{
		{mount: filepath.Join(top, "unified"), v2: true},
		{mount: filepath.Join(top, "memory"), controllers: []string{"memory"}},
		{mount: filepath.Join(top, "cpu"), controllers: []string{"cpu"}},
	}}
	g, err := h.Open("j")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(Limits{Memory: 8 << 20, Processes: 7}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"unified/j/pids.max": "7", "memory/j/memory.limit_in_bytes": "8388608", "memory/j/memory.memsw.limit_in_bytes": "8388608",
	} {
		if got := content(t, top, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got, want := g.Path("memory"), filepath.Join(top, "memory/j"); got != want {
		t.Errorf("Path(memory) = %q, want %q", got, want)
	}
	if got, want := g.Tasks(), filepath.Join(top, "memory/j/tasks"); len(got) != 1 || got[0] != want {
		t.Errorf("Tasks() = %q, want %q", got, want)
	}
}

func TestMissingControllerHasARemedy(t *testing.T) {
	top := fake(t, "cgroup.controllers=cpu", "cgroup.subtree_control=cpu", "j/cgroup.controllers=cpu", "j/cpu.max=")
	g, err := fakeV2(top).Open("j")
	if err != nil {
		t.Fatal(err)
	}
	// A plain file takes "+memory"; what a kernel without the controller lacks is the group's file.
	err = g.Apply(Limits{Memory: MinMemory})
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(e.Hint, "memory") {
		t.Errorf("error %v", err)
	}
}

func TestOpenOfNothing(t *testing.T) {
	_, err := fakeV2(t.TempDir()).Open("j")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestCount(t *testing.T) {
	for text, want := range map[string]int64{
		"low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n": 2,
		"oom_kill_disable 0\nunder_oom 0\noom_kill 5\n":                5,
		"oom_kill": 0, "": 0, "oom_kill x": 0,
	} {
		if got := count(strings.Fields(text), "oom_kill"); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
