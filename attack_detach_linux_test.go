package caisson_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

// detached starts the container without this program's help, and waits until its program says that it is up. It
// returns the supervisor.
func (b *victim) detached() (supervisor int) {
	b.t.Helper()
	r, w, err := os.Pipe()
	must(b.t, err)
	b.Detach, b.Stdout = true, w
	err = b.Start(b.t.Context())
	must(b.t, w.Close())
	must(b.t, err)
	b.t.Cleanup(func() { _ = b.Close() })
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if lines.Text() == "up" {
			must(b.t, r.Close())
			return parentOf(b.t.T, b.Pid())
		}
	}
	b.t.Fatalf("%q never said up", b.Args)
	return 0
}

// The init of a detached container has a file of the host's open, which root in the container can open again, for
// writing, by /proc/1/fd. Passes when nothing that the container reaches there is a file of the host's: none in the
// state directory changes, but in the container's own layer.
func TestAttackT76FileOfTheSupervisor(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("hold").with(func(c *caisson.Container) { c.Init = true })
		b.detached()
		own := filepath.Join(t.engine.Dir, "containers", b.ID())
		before := outsideLayer(t, own)
		for fd := range 16 {
			file := fmt.Sprintf("/proc/1/fd/%d", fd)
			if out := b.exec("mode", file, "4777", "--", "put", file, strings.Repeat("x", 1<<10)); strings.Contains(out, "ok") {
				t.Logf("%q", out) // what it has open is its own
			}
		}
		if after := outsideLayer(t, own); after != before {
			t.Errorf("files of the host, before and after:\n%s\n%s", before, after)
		}
		must(t, b.Close())
	})
}

// outsideLayer describes what is in the directory of a container beside its writable layer.
func outsideLayer(t testing.TB, dir string) string {
	t.Helper()
	var s strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := filepath.Base(p); filepath.Dir(p) == dir && (name == "upper" || name == "work") {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			fmt.Fprintln(&s, p, info.Mode(), info.Size())
		}
		return err
	}))
	return s.String()
}

// A container has its supervisor killed, for want of memory for one, and nobody looks after it any more. Passes when
// it ends with its supervisor; where its program defies that, when Close ends it.
func TestAttackT77SupervisorIsKilled(t *testing.T) {
	attack(t, func(t *assault) {
		for _, c := range []struct {
			command string
			init    bool
			defiant bool
		}{{"hold", false, false}, {"defy", true, false}, {"defy", false, true}} {
			b := t.command(c.command).with(func(b *caisson.Container) { b.Init = c.init })
			supervisor := b.detached()
			first := b.Pid()
			must(t, syscall.Kill(supervisor, syscall.SIGKILL))
			if !c.defiant && !poll(func() bool { return !alive(first) }) {
				t.Errorf("%+v: the container outlives its supervisor", c)
			}
			must(t, b.Close())
			if alive(first) {
				t.Errorf("%+v: the container outlives Close", c)
			}
		}
	})
}

// detachedElsewhere is a container that another program starts, detached, and leaves behind.
type detachedElsewhere struct {
	State, Root string
	Args, Exec  []string // what it runs, and what is executed in it
	User, PID   caisson.NamespaceMode
	Init        bool
}

// detachedEnv makes TestRoleDetaches that program.
const detachedEnv = "CAISSON_TEST_DETACHES"

// start returns the first process and the supervisor, which end with the test.
func (d detachedElsewhere) start(t *assault) (first, supervisor int) {
	t.Helper()
	d.State, d.Root, d.User = t.engine.Dir, t.root.Dir, t.user
	role, err := json.Marshal(d)
	must(t, err)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRoleDetaches$")
	cmd.Env = append(os.Environ(), detachedEnv+"="+string(role))
	out, err := cmd.CombinedOutput()
	if _, serr := fmt.Sscanf(string(out), "%d %d\n", &first, &supervisor); err != nil || serr != nil {
		t.Fatalf("%v, %v\n%s", err, serr, out)
	}
	t.Cleanup(func() {
		_, _ = syscall.Kill(first, syscall.SIGKILL), syscall.Kill(supervisor, syscall.SIGKILL)
	})
	return first, supervisor
}

func TestRoleDetaches(t *testing.T) {
	var d detachedElsewhere
	if os.Getenv(detachedEnv) == "" {
		return
	}
	must(t, json.Unmarshal([]byte(os.Getenv(detachedEnv)), &d))
	img, err := (&caisson.Engine{Dir: d.State}).RootFS(d.Root)
	must(t, err)
	b := &victim{Container: img.Command(d.Args...), t: &assault{T: t}}
	b.Namespaces.User, b.Namespaces.PID, b.Init = d.User, d.PID, d.Init
	supervisor := b.detached()
	if len(d.Exec) > 0 {
		b.exec(d.Exec...)
	}
	fmt.Println(b.Pid(), supervisor)
	os.Exit(0) // and no cleaning up
}

// The same, and the program that started the container is gone too: the next engine removes the files below a
// container that runs. Passes when that engine ends it first.
func TestAttackT77SweptWhileItRuns(t *testing.T) {
	attack(t, func(t *assault) {
		for _, pid := range []caisson.NamespaceMode{caisson.NamespaceDefault, caisson.NamespaceHost} {
			first, supervisor := detachedElsewhere{Args: []string{"defy"}, PID: pid}.start(t)
			must(t, syscall.Kill(supervisor, syscall.SIGKILL))
			if !poll(func() bool { return !alive(supervisor) }) || !alive(first) {
				t.Error("the container did not defy anything")
			}
			t.sweep()
			if alive(first) {
				t.Errorf("the container outlives its files (process namespace %q)", pid)
			}
		}
	})
}

// The supervisor of a detached container in the host's process namespace ends with the first process, whatever else
// runs. Passes when the next engine ends what is left before it removes its files.
func TestAttackT77LeftWithoutSupervisor(t *testing.T) {
	attack(t, func(t *assault) {
		for _, command := range []string{"hold", "headless"} {
			mark := fmt.Sprintf("survivor-%d-%s", os.Getpid(), command)
			left := func() []int { return append(running(t, mark), headless(t, mark)...) }
			first, supervisor := detachedElsewhere{
				Args: []string{"hold"}, Exec: []string{"spawn", command, mark}, PID: caisson.NamespaceHost,
			}.start(t)
			must(t, syscall.Kill(first, syscall.SIGKILL))
			if !poll(func() bool { return !alive(supervisor) }) {
				t.Fatal("the supervisor outlives its container")
			}
			if len(left()) == 0 {
				t.Fatal("nothing is left to end")
			}
			t.sweep()
			for _, pid := range left() {
				t.Errorf("%s: process %d outlives its files", command, pid)
				must(t, syscall.Kill(pid, syscall.SIGKILL))
			}
		}
	})
}

// sweep has another engine clear the state directory, as another program would. Afterwards no container is in it.
func (t *assault) sweep() {
	t.Helper()
	dir := t.engine.Dir
	t.engine = &caisson.Engine{Dir: dir}
	t.command("true").output()
	if left, _ := os.ReadDir(filepath.Join(dir, "containers")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
