package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/testneed"
)

// self is this process on this machine, without subordinate ids.
func self(t *testing.T) *Host {
	t.Helper()
	return &Host{
		Files: os.DirFS("/"), LookPath: exec.LookPath, UID: os.Geteuid(), GID: os.Getegid(),
		Privileged: os.Geteuid() == 0 && sys.HasCapability(sys.CAP_SYS_ADMIN), StateDir: filepath.Join(t.TempDir(), "not", "yet", "there"),
		Limit: func(context.Context, string) error { return nil },
	}
}

// requirements are what every machine of this project's tests has, so long as user namespaces work.
var requirements = []ID{
	User, Mount, PID, Net, IPC, UTS, Cgroup, SetnsPidfd, MountAPI, MountSetattr, Tmpfs, Proc, Sysfs, Devpts, CgroupFS,
	Overlay, OverlayUserxattr, Clone3, Pidfd, WaitPidfd, CloseRange, Openat2, MemfdSeal, Seccomp,
}

func TestRunOnThisMachine(t *testing.T) {
	testneed.UserNamespaces(t)
	r, err := Run(t.Context(), self(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range requirements {
		if res := r.Results[id]; res.State != Works {
			t.Errorf("%s: %+v", id.Name(), res)
		}
	}
	for id := None + 1; id < numTrials; id++ {
		if res := r.Results[id]; res.State != Works && res.Err == nil {
			t.Errorf("%s: neither works nor says why not", id.Name())
		}
	}
}

// Trying makes namespaces, mounts, cgroups, processes, files and directories. All are gone afterwards,
// also when nobody waits for the end.
func TestNothingIsLeftBehind(t *testing.T) {
	adoptOrphans(t)
	h := self(t)
	h.StateDir = t.TempDir()
	if _, err := Run(t.Context(), h); err != nil { // the first run starts the runtime's own descriptors
		t.Fatal(err)
	}
	before := unchanging(t, h, nil)
	for _, after := range []time.Duration{time.Hour, 0, time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond, 8 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		began := time.Now()
		r, err := Run(ctx, h)
		cancel()
		if took := time.Since(began); took > after+2*time.Second {
			t.Errorf("with a deadline of %v it took %v", after, took)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || r == nil {
			t.Errorf("after %v: %v", after, err)
		}
		if got := unchanging(t, h, before); !slices.Equal(got, before) {
			t.Errorf("after %v there is\n%s\nand before there was\n%s", after, strings.Join(got, "\n"), strings.Join(before, "\n"))
		}
	}
}

func TestDeadlineMakesUnknownNotFailing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ctx, self(t))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, id := range requirements {
		if id == Pidfd || id == Openat2 || id == MemfdSeal {
			continue // these take no process, and no time
		}
		if res := r.Results[id]; res.State != Unknown {
			t.Errorf("%s: %+v", id.Name(), res)
		}
	}
}

// Without a machine's own files nothing is known about cgroups and remedies, and nothing panics.
func TestRunWithoutFiles(t *testing.T) {
	h := self(t)
	h.Files = host(nil).Files
	r, err := Run(t.Context(), h)
	if err != nil || r.Results[CgroupTree].State != Fails || r.CgroupMode != "" {
		t.Errorf("%v, %+v", err, r.Results[CgroupTree])
	}
}

// adoptOrphans makes the processes that this one's children leave behind its own children, so that they
// can be seen; prctl(2), PR_SET_CHILD_SUBREAPER.
func adoptOrphans(t *testing.T) {
	const setChildSubreaper = 36
	set := func(on uintptr) {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, on, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// unchanging is traces once they are as wanted, or stay different: another run on this machine makes and
// removes its own.
func unchanging(t *testing.T, h *Host, want []string) []string {
	t.Helper()
	got := traces(t, h)
	for deadline := time.Now().Add(5 * time.Second); !slices.Equal(got, want) && time.Now().Before(deadline); {
		again := traces(t, h)
		if want == nil && slices.Equal(got, again) {
			break
		}
		got = again
	}
	return got
}

// traces is what a run could leave behind.
func traces(t *testing.T, h *Host) []string {
	t.Helper()
	var list []string
	add := func(what string, patterns ...string) {
		for _, p := range patterns {
			found, err := filepath.Glob(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				list = append(list, what+" "+f)
			}
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.HasPrefix(target, "/proc/") {
			list = append(list, "descriptor "+target)
		}
	}
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, c := range children {
		b, _ := os.ReadFile(c)
		for _, pid := range strings.Fields(string(b)) {
			list = append(list, "child "+pid)
		}
	}
	for _, m := range h.mounts() {
		// A new root, or something on what was made; other programs of this machine may mount elsewhere.
		if m.point == "/" || strings.Contains(m.point, "caisson-probe") {
			list = append(list, "mount "+m.point)
		}
	}
	add("directory", nearest(h.StateDir)+"/.caisson-probe-*")
	for _, y := range h.hierarchies() {
		if os.Geteuid() == 0 {
			add("cgroup", y.top+"/caisson-probe-*")
		}
	}
	list = append(list, "goroutines "+settled())
	slices.Sort(list)
	return list
}

// settled waits until no goroutine of this package runs, and says whether that came to pass.
func settled() string {
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		// This one is of this package itself, and so is the one that runs the test.
		if strings.Count(stacks, "internal/probe.(*") == 0 {
			return "ended"
		}
	}
	return string(buf[:runtime.Stack(buf, true)])
}
