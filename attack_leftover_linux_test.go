package caisson_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
	"golang.org/x/sys/unix"
)

// CVE-2020-15257: the engine can be talked to by an abstract socket, which every container in the host's network
// namespace sees. Passes when starts, executions and terminals make none, and a container finds none that takes a
// connection and was not there before.
func TestAttackT31AbstractSockets(t *testing.T) {
	attack(t, func(t *assault) {
		before := abstractSockets(t)
		b := t.command("hold").with(func(c *caisson.Container) {
			c.Namespaces.Net, c.Init, c.TTY = "host", true, &caisson.Winsize{Rows: 1, Cols: 1}
		}).start()
		for line := range strings.Lines(b.exec("abstract")) {
			name, _, _ := strings.Cut(line, " ")
			if !slices.Contains(before, name) || strings.Contains(name, "caisson") {
				t.Errorf("a container sees %s", line)
			}
		}
		for _, name := range abstractSockets(t) {
			if strings.Contains(name, "caisson") {
				t.Errorf("there is an abstract socket %s", name)
			}
		}
	})
}

func abstractSockets(t testing.TB) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/net/unix")
	must(t, err)
	var list []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 8 && strings.HasPrefix(f[7], "@") {
			list = append(list, f[7])
		}
	}
	return list
}

// CVE-2024-3056, CVE-2021-21334: shared memory, environment or host name is left for the next container. 100 containers
// (8 by default) leave 64 MiB in /dev/shm and a System V segment each. Passes when none sees anything of the last, and
// the memory is free again.
func TestAttackT32NothingIsLeftForTheNext(t *testing.T) {
	attack(t, func(t *assault) {
		before := sharedMemory(t)
		for i := range attackCount(100, 8) {
			out := t.command("shm", "64", "--", "segment", "--", "env", "--", "uname", "--", "ls", "/tmp", "/dev/mqueue", "--", "put", "/tmp/left", "x").with(func(c *caisson.Container) {
				c.Hostname, c.Env, c.Init = fmt.Sprintf("h%d", i), []string{fmt.Sprintf("E=%d", i)}, i%2 == 0
			}).output()
			want := fmt.Sprintf("segments 0 ok\n%q\nh%d\n/tmp/left ok\n", []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", fmt.Sprintf("HOSTNAME=h%d", i), fmt.Sprintf("E=%d", i),
			}, i)
			if out != want {
				t.Fatalf("container %d: %q, want %q", i, out, want)
			}
		}
		// The kernel takes a filesystem apart behind the last process's back. Others use shared memory meanwhile.
		const room = 3 * 64 << 10
		deadline := time.Now().Add(testneed.Patience(10 * time.Second))
		for sharedMemory(t) > before+room {
			if time.Now().After(deadline) {
				t.Fatalf("%d KiB of shared memory are in use, %d KiB before", sharedMemory(t), before)
			}
			runtime.Gosched()
		}
	})
}

// sharedMemory is how much is in use on this machine, in KiB; proc_meminfo(5).
func sharedMemory(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Shmem:"); ok {
			var n int
			_, err := fmt.Sscan(rest, &n)
			must(t, err)
			return n
		}
	}
	t.Fatal("/proc/meminfo has no Shmem")
	return 0
}

// The host program's keyrings hold its secrets, and no namespace separates those of a session; keyrings(7). Passes when
// a container finds no key that the host program added to its session's keyring or its user's, in no way, and cannot
// list them.
func TestAttackT27Keyrings(t *testing.T) {
	attack(t, func(t *assault) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // for ever: a session's keyring is a thread's
			_, err := unix.KeyctlJoinSessionKeyring("caisson-attack")
			if err != nil {
				t.Log("no keyrings here:", err)
				return
			}
			for _, ring := range []int{unix.KEY_SPEC_SESSION_KEYRING, unix.KEY_SPEC_USER_KEYRING} {
				id, err := unix.AddKey("user", "caisson-attack-key", []byte(testroot.Secret), ring)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, ring, 0, 0) }()
			}
			for _, init := range []bool{false, true} {
				b := t.command("keys", "caisson-attack-key", "--", "cat", "/proc/keys").with(func(c *caisson.Container) { c.Init = init })
				out, err := b.CombinedOutput(t.Context())
				if err != nil || strings.Contains(string(out), "found") || strings.Contains(string(out), "caisson-attack") {
					t.Errorf("start (init %v): %v\n%s", init, err, out)
				}
				t.noSecret("start", string(out))
			}
			b := t.command("hold")
			if err := b.Start(t.Context()); err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = b.Close() }()
			out, err := b.Exec("keys", "caisson-attack-key").CombinedOutput(t.Context())
			if err != nil || strings.Contains(string(out), "found") {
				t.Errorf("exec: %v\n%s", err, out)
			}
		}()
		<-done
	})
}

// CVE-2024-23652: a container moves the directory in which its start has made files, and puts a link to the host in its
// place; the end of the container then removes the host's files of these names. What it leaves is also hard to remove.
// Passes when everything of it is gone after Close, and the canary is intact.
func TestAttackT55HostileLeftovers(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		for range 2 {
			b := t.command("/bin/hold").with(func(c *caisson.Container) {
				c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/vol/in/deep"}}
			}).start()
			moved := b.exec("/bin/mess", canary.Dir)
			must(t, b.Close())
			// What the image lacks is made in the writable layer, where it can be moved.
			t.Log(strings.ReplaceAll(moved, "\n", ", "))
			for _, name := range []string{"etc", "dev", "proc", "sys", "vol"} {
				t.root.Remove(name)
			}
			canary.Check()
		}
	})
}

// A process of a container that shares the host's process namespace is not killed with its first one by the kernel.
// Passes when none lives when Close has returned.
func TestAttackT32NothingSurvivesClose(t *testing.T) {
	attack(t, func(t *assault) {
		for _, pid := range []caisson.NamespaceMode{caisson.NamespaceDefault, caisson.NamespaceHost} {
			mark := fmt.Sprintf("survivor-%d-%d", os.Getpid(), time.Now().UnixNano())
			b := t.command("hold").with(func(c *caisson.Container) { c.Namespaces.PID = pid }).start()
			b.exec("spawn", "hold", mark)
			p := b.Exec("hold", mark)
			must(t, p.Start(t.Context()))
			must(t, b.Close())
			for _, left := range running(t, mark) {
				t.Errorf("process %d of a closed container lives on (process namespace %q)", left, pid)
				must(t, syscall.Kill(left, syscall.SIGKILL))
			}
		}
	})
}

// running lists the processes that have a word among their arguments.
func running(t testing.TB, word string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	must(t, err)
	var list []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err == nil && strings.Contains(string(b), word) {
			list = append(list, pid)
		}
	}
	return list
}
