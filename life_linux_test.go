package caisson_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// census counts what containers could leave behind.
type census struct {
	Mounts, Cgroups, Namespaces, Children, Descriptors, Goroutines, Files int
}

// count takes a census of this process, and of the files below a directory.
func count(dir string) census {
	c := census{Goroutines: runtime.NumGoroutine()}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		c.Mounts = strings.Count(string(b), "\n")
	}
	if l, err := os.ReadDir("/proc/self/fd"); err == nil {
		c.Descriptors = len(l)
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(p, "caisson") {
			c.Cgroups++
		}
		return nil
	})
	_ = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { c.Files++; return nil })
	c.Children = len(children(os.Getpid()))
	c.Namespaces = namespacesBelow(os.Getpid())
	return c
}

// children are the processes whose parent is pid, zombies included.
func children(pid int) (list []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(t)
		for _, f := range strings.Fields(string(b)) {
			n, _ := strconv.Atoi(f)
			list = append(list, n)
		}
	}
	return list
}

// namespacesBelow counts the namespaces of a process's children that are not its own.
func namespacesBelow(pid int) int {
	own, seen := map[string]bool{}, map[string]bool{}
	for _, kind := range []string{"mnt", "net", "pid", "ipc", "uts", "user", "cgroup"} {
		s, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		own[s] = true
		for _, c := range children(pid) {
			if s, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", c, kind)); err == nil && !own[s] {
				seen[s] = true
			}
		}
	}
	return len(seen)
}

// poll repeats a question until its answer is yes, for a minute at most.
func poll(yes func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !yes(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// quiet is the census once an engine has run a container and the guardian of the program has gone.
func quiet(t *testing.T, img *caisson.Image, dir string) census {
	t.Helper()
	if err := img.Command("/bin/true").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last census
	same := 0
	if !poll(func() bool {
		caisson.QuitGuardian()
		runtime.GC() // what earlier tests forgot is closed by finalizers, and must not be counted
		c := count(dir)
		if c != last || c.Children > 0 {
			same = 0
		}
		last = c
		same++
		return same > 10
	}) {
		t.Fatalf("never quiet: %+v", last)
	}
	return last
}

// settled waits for a census to equal an earlier one. The guardian, which stays for a while, is asked to go.
func settled(t *testing.T, dir string, want census) {
	t.Helper()
	var got census
	if !poll(func() bool { caisson.QuitGuardian(); got = count(dir); return got == want }) {
		buf := make([]byte, 1<<16)
		t.Fatalf("left behind:\n got %+v\nwant %+v\n%s", got, want, buf[:runtime.Stack(buf, true)])
	}
}

// many is how often the leak tests repeat: the full count in CI's own leg, less elsewhere.
func many(full, short int) int {
	if os.Getenv("CAISSON_FULL") != "" {
		return full
	}
	return short
}

func TestNothingLeftBySequentialContainers(t *testing.T) {
	e := engine(t)
	root := smallRoot(t)
	img, err := e.RootFS(root)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // finalizers would hide a leaked descriptor
	run := func() {
		if err := img.Command("/bin/true").Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := quiet(t, img, e.Dir)
	for range many(1000, 100) {
		run()
	}
	settled(t, e.Dir, before)
}

func TestNothingLeftBySimultaneousContainers(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	before := quiet(t, img, e.Dir)
	n := many(200, 50)
	containers := make([]*caisson.Container, n)
	var wg sync.WaitGroup
	for i := range containers {
		wg.Go(func() {
			containers[i] = img.Command("/bin/hold")
			if err := containers[i].Start(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(children(os.Getpid())); got != n+1 {
		t.Errorf("%d processes for %d containers and their guardian", got, n)
	}
	for i, c := range containers {
		wg.Go(func() {
			if i%2 == 0 {
				if err := c.Exec("/bin/true").Run(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	settled(t, e.Dir, before)
}

// Starts that fail at every stage leave nothing either.
func TestNothingLeftByFailedStarts(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	bad := map[string]func(c *caisson.Container){
		"program":   func(c *caisson.Container) { c.Args = []string{"/none"} },
		"mount":     func(c *caisson.Container) { c.Mounts = []caisson.Mount{{Source: "/no/such", Target: "/x"}} },
		"user":      func(c *caisson.Container) { c.User = "nobody-knows" },
		"hostname":  func(c *caisson.Container) { c.Hostname = "a\nb" },
		"directory": func(c *caisson.Container) { c.Dir = "/proc/self/fd/3" },
		"namespace": func(c *caisson.Container) { c.Namespaces.Net = caisson.NamespaceAt("/none") },
		"terminal":  func(c *caisson.Container) { c.TTY, c.Args = &caisson.Winsize{}, []string{"/none"} },
		"init":      func(c *caisson.Container) { c.Init, c.Args = true, []string{"/none"} },
	}
	before := quiet(t, img, e.Dir)
	for name, change := range bad {
		c := img.Command("/bin/true")
		change(c)
		err := c.Start(t.Context())
		var e *caisson.Error
		if err == nil || !errors.As(err, &e) && name != "init" {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := img.Command("/bin/true").Start(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	settled(t, e.Dir, before)
}

// A program that holds containers and is killed takes them with it at once; the next engine on its
// directory clears the rest.
func TestKilledHostTakesItsContainers(t *testing.T) {
	e := engine(t)
	const n = 50
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperHoldsContainers$")
	cmd.Env = append(os.Environ(), "CAISSON_HOLD="+e.Dir, "CAISSON_ROOT="+smallRoot(t), "CAISSON_N="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for len(pids) < n && lines.Scan() {
		if s, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pid, _ := strconv.Atoi(s)
			pids = append(pids, pid)
		}
	}
	if len(pids) != n {
		_ = cmd.Wait()
		t.Fatalf("%d containers", len(pids))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d of a container lives a second after its program", pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
	left, _ := os.ReadDir(filepath.Join(e.Dir, "containers"))
	if len(left) != n {
		t.Fatalf("%d directories left, want %d for the next engine", len(left), n)
	}
	img := smallImage(t, e)
	if err := img.Command("/bin/true").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ = os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) != 0 {
		t.Fatalf("%d directories left after the next engine", len(left))
	}
}

// alive tells whether a process exists and is not a zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// TestHelperHoldsContainers is the program that is killed.
func TestHelperHoldsContainers(t *testing.T) {
	dir := os.Getenv("CAISSON_HOLD")
	if dir == "" {
		return // this is the other process of TestKilledHostTakesItsContainers
	}
	e := &caisson.Engine{Dir: dir}
	img, err := e.RootFS(os.Getenv("CAISSON_ROOT"))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(os.Getenv("CAISSON_N"))
	for range n {
		c := img.Command("/bin/hold")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", c.Pid())
	}
	select {} // until killed
}

// smallRoot is a root filesystem with a static program that knows true and hold.
func smallRoot(t testing.TB) string {
	t.Helper()
	testneed.UserNamespaces(t)
	return testroot.New(t).Dir
}

// smallImage is smallRoot as an image of an engine.
func smallImage(t testing.TB, e *caisson.Engine) *caisson.Image {
	t.Helper()
	img, err := e.RootFS(smallRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A start that is cancelled at any moment leaves nothing, not even a zombie.
func TestNothingLeftByCancelledStarts(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	before := quiet(t, img, e.Dir)
	for i := range many(500, 60) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%60)*100*time.Microsecond)
		c := img.Command("/bin/hold")
		err := c.Start(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	settled(t, e.Dir, before)
}

// The number of a mount namespace is given to the next one as soon as the first has ended. Closing a
// container that shares its process namespace must not take that one for its own.
func TestCloseKillsNoStranger(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	for range many(200, 20) {
		c := img.Command("/bin/true")
		c.Namespaces.PID = caisson.NamespaceHost
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		stranger := img.Command("/bin/hold")
		if err := stranger.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if stranger.State() != caisson.StateRunning || !alive(stranger.Pid()) {
			t.Fatal("a container was killed by the close of another")
		}
		if err := stranger.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
