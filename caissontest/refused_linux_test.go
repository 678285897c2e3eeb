package caissontest_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/caissontest"
	"github.com/caisson-go/caisson/internal/testneed"
)

const inside = "CAISSONTEST_INSIDE"

// A user namespace that maps no id is a host that refuses: who has no id in the namespace may not make
// another (user_namespaces(7)), and is nobody's root. The tests below run again in one.
func refusingHost(t *testing.T, env ...string) string {
	t.Helper()
	testneed.UserNamespaces(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestInsideARefusingHost$", "-test.v")
	cmd.Env = append(append(os.Environ(), inside+"=1", "TMPDIR="+t.TempDir()), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestInsideARefusingHost(t *testing.T) {
	if os.Getenv(inside) == "" {
		return
	}
	for name, test := range map[string]func(t caissontest.TB){
		"Need": caissontest.Need,
		"Run":  func(t caissontest.TB) { caissontest.Run(t, sh(t, "true")) },
	} {
		f := run(test)
		t.Logf("%s: skipped %q, failed %q", name, f.skipped, f.failed)
	}
}

func TestRefusingHostSkips(t *testing.T) {
	out := refusingHost(t, "CAISSON_CI=")
	for _, name := range []string{"Need", "Run"} {
		if !strings.Contains(out, name+`: skipped ["caissontest: this host cannot run it: container: fails; unshare`) {
			t.Errorf("%s does not skip:\n%s", name, out)
		}
	}
	if !strings.Contains(out, "operation not permitted; ") || !strings.Contains(out, "user namespace") {
		t.Errorf("no remedy:\n%s", out)
	}
}

func TestRefusingHostFailsInCI(t *testing.T) {
	out := refusingHost(t, "CAISSON_CI=unprivileged")
	for _, name := range []string{"Need", "Run"} {
		if !strings.Contains(out, name+`: skipped [], failed ["caissontest: this host cannot run it, and CAISSON_CI forbids`) {
			t.Errorf("%s does not fail:\n%s", name, out)
		}
	}
}

func TestNeedIsSilentWhereThereAreContainers(t *testing.T) {
	testneed.UserNamespaces(t)
	passed(t, run(caissontest.Need))
}

// A test of limits cannot run where there are none, and can where there are.
func TestLimits(t *testing.T) {
	testneed.UserNamespaces(t)
	t.Setenv("CAISSON_CI", "")
	f := run(func(t caissontest.TB) {
		c := sh(t, "exec sleep 1000")
		c.Limits = caisson.Limits{Processes: 10}
		caissontest.Run(t, c)
	})
	g, err := caisson.NewCgroup("caissontest-trial", caisson.Limits{Processes: 10})
	if err == nil {
		passed(t, f)
		if err := g.Remove(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	if len(f.failed) > 0 || len(f.skipped) != 1 {
		t.Errorf("failed %q, skipped %q", f.failed, f.skipped)
	}
}
