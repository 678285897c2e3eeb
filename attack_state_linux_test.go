package caisson_test

import (
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

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// hostFiles is a directory of the host with the names in it that the end of a container removes.
func hostFiles(t testing.TB) (dir string, intact func()) {
	t.Helper()
	dir = t.TempDir()
	names := []string{"etc/hosts", "etc/hostname", "etc/resolv.conf"}
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	for _, name := range names {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(testroot.Secret), 0o644))
	}
	return dir, func() {
		t.Helper()
		for _, name := range names {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != testroot.Secret {
				t.Errorf("%s of the host: %q, %v", name, b, err)
			}
		}
	}
}

// plant makes the directory of a container that leads to files of the host.
func plant(t testing.TB, state, to string) (dir string) {
	t.Helper()
	dir = filepath.Join(state, "containers", strings.Repeat("a5", 32))
	must(t, os.MkdirAll(dir, 0o777))
	must(t, os.Symlink(to, filepath.Join(dir, "upper")))
	return dir
}

// Another user of the host makes the state directory first, or may exchange something on the way to it: what is
// removed, and what containers write to, is then of his choosing. Passes when every such directory is refused before
// anything is done in it, with a remedy.
func TestAttackT29StateDirectoryOfOthers(t *testing.T) {
	attack(t, func(t *assault) {
		for name, make := range map[string]func(base, to string) (state string){
			"open to others": func(base, to string) string {
				must(t, os.Chmod(base, 0o777))
				plant(t, base, to)
				return base
			},
			"open above": func(base, _ string) string {
				must(t, os.Chmod(base, 0o777))
				return filepath.Join(base, "state")
			},
			"containers is a link": func(base, to string) string {
				must(t, os.Symlink(to, filepath.Join(base, "containers")))
				return base
			},
			"containers is open to others": func(base, to string) string {
				plant(t, base, to)
				must(t, os.Chmod(filepath.Join(base, "containers"), 0o777))
				return base
			},
			"another's": func(base, to string) string {
				state := filepath.Join(base, "state")
				plant(t, state, to)
				return t.give(state)
			},
			"another's above": func(base, _ string) string {
				if t.give(base) == "" {
					return ""
				}
				return filepath.Join(base, "state")
			},
			"another's link": func(base, to string) string {
				must(t, os.Chmod(base, 0o777|os.ModeSticky))
				must(t, os.Symlink(to, filepath.Join(base, "state")))
				return t.give(filepath.Join(base, "state"))
			},
		} {
			base, err := os.MkdirTemp(t.TempDir(), "")
			must(t, err)
			to, intact := hostFiles(t)
			state := make(base, to)
			if state == "" {
				continue // an ordinary user cannot make it another's
			}
			t.engine = &caisson.Engine{Dir: state}
			var e *caisson.Error
			if err := t.command("true").refused(name); !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("%s: no remedy in %v", name, err)
			} else if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.ELOOP) {
				t.Errorf("%s: %v", name, err)
			}
			intact()
		}
	})
}

// give makes a directory another user's, and returns it; "" if this user cannot.
func (t *assault) give(dir string) string {
	if os.Geteuid() != 0 {
		return ""
	}
	must(t, os.Lchown(dir, ordinaryUser, ordinaryUser))
	return dir
}

// The same, in a state directory that nobody else could get into: what a container is swept by leads nowhere. Passes
// when what was planted is gone and what it leads to is not.
func TestAttackT55PlantedLeftovers(t *testing.T) {
	attack(t, func(t *assault) {
		to, intact := hostFiles(t)
		state, err := os.MkdirTemp("", "caisson-attack-state-")
		must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(state) })
		dir := plant(t, state, to)
		must(t, os.Chmod(filepath.Dir(dir), 0o700))
		for name, make := range map[string]func(string) error{
			"link": func(at string) error { return os.Symlink(to, at) },
			"fifo": func(at string) error { return syscall.Mkfifo(at, 0o600) },
			"file": func(at string) error { return os.WriteFile(at, nil, 0o600) },
		} {
			must(t, make(filepath.Join(filepath.Dir(dir), name)))
		}
		t.engine = &caisson.Engine{Dir: state}
		t.command("true").output()
		intact()
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

// fewEnv makes TestAttackT55FewDescriptors the process with few descriptors.
const fewEnv = "CAISSON_TEST_FEW"

// A container leaves directories in one another, more than its host program has descriptors and longer than a path
// can be. Passes when everything of it is gone after Close.
func TestAttackT55FewDescriptors(t *testing.T) {
	if os.Getenv(fewEnv) == "" {
		testneed.UserNamespaces(t)
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestAttackT55FewDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), fewEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 100}))
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		b := t.command("/bin/hold").start()
		b.exec("/bin/mess", canary.Dir)
		must(t, b.Close())
	})
}

// As T32 has it, when the first process has ended before anybody could look at it. Passes when none of 60 containers
// (20 by default) leaves a process behind, in the host's process namespace and in another container's.
func TestAttackT32FirstProcessIsGone(t *testing.T) {
	attack(t, func(t *assault) {
		other := t.command("hold").start()
		mark := fmt.Sprintf("1000.%d%d", os.Getpid(), time.Now().UnixNano())
		for i := range attackCount(60, 20) {
			c := t.engine.Host().Command("sh", "-c", "sleep "+mark+" & exit 0") // faster than the probe
			c.Namespaces.User, c.Namespaces.PID = t.user, caisson.NamespaceHost
			if i%2 == 1 && t.privileged() { // a user namespace of its own has no rights in the other's
				c.Namespaces.PID = caisson.NamespaceOf(other.Pid())
			}
			must(t, c.Run(t.Context()))
		}
		t.none(mark)
	})
}

// A process without its first thread shows no namespaces where one looks for them. Passes as T32 does.
func TestAttackT32Headless(t *testing.T) {
	attack(t, func(t *assault) {
		mark := fmt.Sprintf("survivor-%d-%d", os.Getpid(), time.Now().UnixNano())
		b := t.command("hold").with(func(c *caisson.Container) { c.Namespaces.PID = caisson.NamespaceHost }).start()
		b.exec("spawn", "headless", mark)
		if !poll(func() bool { return len(headless(t, mark)) > 0 }) {
			t.Fatal("the process has not lost its first thread")
		}
		must(t, b.Close())
		for _, pid := range headless(t, mark) {
			t.Errorf("process %d of a closed container lives on", pid)
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	})
}

// headless lists the processes whose first thread has ended, by a word among the arguments of another.
func headless(t testing.TB, word string) (list []int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/cmdline")
	must(t, err)
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		var pid, tid int
		if _, serr := fmt.Sscanf(name, "/proc/%d/task/%d/", &pid, &tid); err != nil || serr != nil || !strings.Contains(string(b), word) {
			continue
		}
		if first, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(first) == 0 && !slices.Contains(list, pid) {
			list = append(list, pid)
		}
	}
	return list
}

// none fails the test if a process has a word among its arguments, and ends it.
func (t *assault) none(word string) {
	t.Helper()
	for _, pid := range running(t, word) {
		t.Errorf("process %d of a closed container lives on", pid)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// A container in the host's process namespace holds the end of the pipe that its init reports by, when init is killed.
// Passes when Wait and Close return all the same.
func TestAttackT32HeldPipe(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("hold").with(func(c *caisson.Container) { c.Namespaces.PID, c.Init = caisson.NamespaceHost, true }).start()
		r, w, err := os.Pipe()
		must(t, err)
		defer func() { _ = r.Close() }()
		p := b.Exec("grip", "init")
		p.Stdout = w
		must(t, p.Start(t.Context()))
		must(t, w.Close())
		line := make([]byte, 64)
		n, err := r.Read(line)
		must(t, err)
		t.Logf("%s", line[:n])
		must(t, b.Signal(syscall.SIGKILL))
		ended := make(chan error, 1)
		go func() { ended <- b.Close() }()
		select {
		case err := <-ended:
			must(t, err)
		case <-time.After(testneed.Patience(time.Minute)):
			must(t, p.Signal(syscall.SIGKILL))
			t.Fatal("a process of the container holds up Close")
		}
	})
}
