package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// thorough reports whether the tests should take the time that they need to be certain.
func thorough() bool { return os.Getenv("CAISSON_FULL") != "" }

// R4: a program is killed before each of the steps that it takes in a store, one after the other. Whoever opens the
// store next finds each object whole or absent, all that was promised, and clears the rest.
func TestStoreKilledAtEachStep(t *testing.T) {
	rounds, apart := 1, 5
	if thorough() {
		rounds, apart = 3, 1
	}
	points := 0
	for round := range rounds {
		for n := round % apart; ; n += apart {
			s := fast(t)
			work(t, s)
			killed, said := runUntilKilled(t, s, fmt.Sprint("step ", n), nil)
			what := fmt.Sprintf("killed at step %d, %s", n, said)
			if !killed {
				break
			}
			points++
			recovered(t, s, what)
			if err := os.RemoveAll(s.Dir()); err != nil {
				t.Fatal(err)
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("killed %d times", points)
	if points < 60/apart {
		t.Errorf("killed %d times only", points)
	}
}

// And so at any time.
func TestStoreKilledAtRandom(t *testing.T) {
	times := 20
	if thorough() {
		times = 300
	}
	r := rand.New(rand.NewPCG(4, 4))
	s := openAt(t, memory(t)+"/state")
	work(t, s)
	kills := 0
	for i := range times {
		wait := time.Duration(r.IntN(40_000)) * time.Microsecond
		killed, _ := runUntilKilled(t, s, "loop", func(p *os.Process) {
			<-time.After(wait)
			_ = p.Kill()
		})
		if killed {
			kills++
		}
		recovered(t, s, fmt.Sprintf("killed %d times, now after %v", i+1, wait))
		if t.Failed() {
			return
		}
	}
	if kills != times {
		t.Errorf("%d of %d were killed", kills, times)
	}
}

// recovered fails unless the store is whole, can be written to, and cleared.
func recovered(t *testing.T, s *Store, what string) {
	t.Helper()
	s = withoutSync(openAt(t, s.Dir()))
	got := verify(t, s, what)
	for _, name := range []string{"old:1", "old:2", "moved:1"} {
		if !slices.Contains(got, name) {
			t.Errorf("%s: %s is gone", what, name)
		}
	}
	if err := workMore(t, s); err != nil {
		t.Errorf("%s: the next: %v", what, err)
	}
	if left, err := os.ReadDir(s.Dir() + "/staging"); err != nil || len(left) > 0 {
		t.Errorf("%s: left in staging: %v, %v", what, left, err)
	}
	verify(t, s, what)
	clean(t, s, what)
}

// runUntilKilled runs a job on the store in another process, and reports whether it was killed, and its last words.
func runUntilKilled(t *testing.T, s *Store, job string, then func(*os.Process)) (bool, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRoleWorker$")
	cmd.Env = append(os.Environ(), childDir+"="+s.Dir(), childJob+"="+job)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	ready, rerr := lines.ReadString('\n')
	if then != nil && rerr == nil {
		then(cmd.Process)
	}
	rest, _ := io.ReadAll(lines)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true, strings.TrimSpace(ready + string(rest))
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s%s", job, err, ready, rest, errs.String())
	}
	return false, ""
}

// TestRoleWorker is the other process of the tests above.
func TestRoleWorker(t *testing.T) {
	dir, job := os.Getenv(childDir), os.Getenv(childJob)
	if dir == "" || strings.HasPrefix(job, "churn") {
		return // run by itself it is no test
	}
	kind, number, _ := strings.Cut(job, " ")
	switch kind {
	case "step":
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		if err := workMore(t, dyingAt(t, dir, n)); err != nil {
			t.Error(err)
		}
	case "loop":
		s := withoutSync(openAt(t, dir))
		fmt.Println("ready")
		for {
			if err := workMore(t, s); err != nil {
				t.Fatal(err)
			}
		}
	case "mix":
		mix(t, openAt(t, dir), number)
	}
}

// dyingAt is a store that kills its process before the n-th step.
func dyingAt(t *testing.T, dir string, n int) *Store {
	var at atomic.Int64
	return withHook(withoutSync(openAt(t, dir)), func(step string) error {
		if at.Add(1) == int64(n)+1 {
			fmt.Println(step)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
}
