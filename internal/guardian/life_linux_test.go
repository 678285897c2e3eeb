package guardian_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/guardian"
)

// sleeper starts a process that does nothing until the test ends.
func sleeper(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	return cmd.Process.Pid
}

// resources counts what a leak would show in.
type resources struct{ fds, goroutines, guardians, mappings int }

func count(t *testing.T) resources {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return resources{len(fds), runtime.NumGoroutine(), len(children(t, os.Getpid(), "caisson-guard")),
		strings.Count(string(maps), "caisson-guard")}
}

// none waits until nothing is left that was not there before.
func none(t *testing.T, before resources) {
	t.Helper()
	var now resources
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		now = count(t)
		if now.fds <= before.fds && now.goroutines <= before.goroutines && now.guardians == 0 && now.mappings == 0 {
			return
		}
	}
	t.Errorf("left behind: %+v, before: %+v", now, before)
}

func TestNothingIsLeftAfterManyEntries(t *testing.T) {
	pid := sleeper(t)
	warm(t)
	before := count(t)
	g := guardian.New(t.TempDir())
	g.IdleFor(100 * time.Millisecond)
	const total, workers = 10_000, 8
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var held []*guardian.Entry
			for range total / workers {
				e, err := g.Add(pid)
				if err != nil {
					t.Error(err)
					return
				}
				held = append(held, e)
				if len(held) == 3 {
					held[1].Remove()
					held[0].Remove()
					held[0].Remove() // a second time changes nothing
					held = held[2:]
				}
			}
			for _, e := range held {
				e.Remove()
			}
		})
	}
	wg.Wait()
	if now := count(t); now.guardians > 1 {
		t.Errorf("%d guardians", now.guardians)
	}
	none(t, before)
}

// warm makes the runtime and the kernel do what they do once, so that it does not count as a leak.
func warm(t *testing.T) {
	t.Helper()
	g := guardian.New(t.TempDir())
	e, err := g.Add(sleeper(t))
	if err != nil {
		t.Fatal(err)
	}
	e.Remove()
	g.Close()
}

func TestTheTableGrows(t *testing.T) {
	pid := sleeper(t)
	g := guardian.New(t.TempDir())
	defer g.Close()
	var entries []*guardian.Entry
	for range 20_000 {
		e, err := g.Add(pid)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for _, e := range entries {
		e.Remove()
	}
}

func TestIdleGuardianIsGoneAndComesBack(t *testing.T) {
	pid := sleeper(t)
	warm(t)
	before := count(t)
	g := guardian.New(t.TempDir())
	g.IdleFor(100 * time.Millisecond)
	defer g.Close()
	for range 3 {
		e, err := g.Add(pid)
		if err != nil {
			t.Fatal(err)
		}
		one := children(t, os.Getpid(), "caisson-guard")
		e.Remove()
		began := time.Now()
		e, err = g.Add(pid) // at once: the same guardian serves
		if err != nil {
			t.Fatal(err)
		}
		if again := children(t, os.Getpid(), "caisson-guard"); len(again) != 1 || again[0] != one[0] {
			if time.Since(began) < 50*time.Millisecond {
				t.Errorf("guardian %v became %v", one, again)
			}
		}
		e.Remove()
		eventually(t, time.Second, "no goroutine waits for the idle time", func() bool {
			return runtime.NumGoroutine() <= before.goroutines
		})
		none(t, before)
	}
}

func TestAKilledGuardianIsReplaced(t *testing.T) {
	g := guardian.New(t.TempDir())
	defer g.Close()
	pid := sleeper(t)
	e, err := g.Add(pid)
	if err != nil {
		t.Fatal(err)
	}
	kill := func() int {
		pids := children(t, os.Getpid(), "caisson-guard")
		if len(pids) != 1 {
			t.Fatalf("guardians %v", pids)
		}
		if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return pids[0]
	}
	another := func(old int) func() bool {
		return func() bool {
			now := children(t, os.Getpid(), "caisson-guard")
			return len(now) == 1 && now[0] != old
		}
	}
	reaped := func() bool { return len(children(t, os.Getpid(), "caisson-guard")) == 0 }
	// One that ends soon after its start is replaced when it is needed again,
	old := kill()
	eventually(t, 5*time.Second, "the dead guardian is reaped", reaped)
	e2, err := g.Add(pid)
	if err != nil || !another(old)() {
		t.Fatalf("the next Add does not start one: %v", err)
	}
	// or in a while.
	old = kill()
	eventually(t, 5*time.Second, "another guardian", another(old))
	// One that lived is replaced at once.
	began := time.Now()
	time.Sleep(1100 * time.Millisecond)
	old = kill()
	eventually(t, 5*time.Second, "another guardian", another(old))
	t.Logf("replaced %v after its end", time.Since(began)-1100*time.Millisecond)
	e.Remove()
	// One that dies while idle is found out by the next Add.
	e2.Remove()
	old = kill()
	eventually(t, 5*time.Second, "it ends", func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", old))
		return len(b) == 0 || strings.Contains(string(b), ") Z ")
	})
	if _, err := g.Add(pid); err != nil || !another(old)() {
		t.Fatalf("not replaced: %v", err)
	}
}

func TestErrors(t *testing.T) {
	g := guardian.New(t.TempDir())
	for _, pid := range []int{-1, 0, 1, os.Getpid(), -os.Getpid(), 1 << 22, 1 << 40} {
		if _, err := g.Add(pid); !errors.Is(err, guardian.ErrPid) {
			t.Errorf("Add(%d): %v", pid, err)
		}
	}
	e, err := g.Add(sleeper(t))
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	g.Close()
	e.Remove()
	if _, err := g.Add(sleeper(t)); !errors.Is(err, guardian.ErrClosed) {
		t.Error(err)
	}
	if pids := children(t, os.Getpid(), "caisson-guard"); len(pids) != 0 {
		t.Errorf("guardians %v after Close", pids)
	}
}

// The limit on descriptors makes every step of the start fail once, and none leaves anything behind.
func TestStartFailsCleanly(t *testing.T) {
	pid := sleeper(t)
	warm(t)
	before := count(t)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for room := range 40 {
		g := guardian.New(t.TempDir())
		limit := old
		limit.Cur = uint64(before.fds - 1 + room)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		_, err := g.Add(pid)
		if e := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); e != nil {
			t.Fatal(e)
		}
		var typed *guardian.Error
		if err != nil {
			failed++
			if !errors.As(err, &typed) {
				t.Errorf("%v is no *Error", err)
			}
		}
		g.Close()
		none(t, before)
	}
	if failed == 0 || failed == 40 {
		t.Errorf("%d of 40 limits failed: the test tries nothing", failed)
	}
}

func BenchmarkAddRemove(b *testing.B) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() }()
	g := guardian.New(b.TempDir())
	defer g.Close()
	if _, err := g.Add(cmd.Process.Pid); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := g.Add(cmd.Process.Pid)
		if err != nil {
			b.Fatal(err)
		}
		e.Remove()
	}
}

func BenchmarkStartAndClose(b *testing.B) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() }()
	for b.Loop() {
		g := guardian.New(b.TempDir())
		if _, err := g.Add(cmd.Process.Pid); err != nil {
			b.Fatal(err)
		}
		g.Close()
	}
}
