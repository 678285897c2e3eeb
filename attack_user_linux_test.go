package caisson_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// ordinaryUser is the user of the last test. Nobody has its number, nor subordinate ids for it.
const ordinaryUser = 64123

// TestAttacksAsAnOrdinaryUser runs every attack again, in a process of a user without any privilege and with one id.
func TestAttacksAsAnOrdinaryUser(t *testing.T) {
	testneed.Root(t)
	dir, err := os.MkdirTemp("", "caisson-attack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	probe := testroot.Bare(t).Path("bin/probe")
	if err := attackCopy(probe, filepath.Join(dir, "probe"), 0o755); err != nil {
		t.Fatal(err)
	}
	suid := setuidRoot(t, dir)
	if err := os.Chown(dir, ordinaryUser, ordinaryUser); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testneed.Patience(10*time.Minute))
	defer cancel()
	// The link is followed by the new user in its own process: the test binary itself may lie out of its reach.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestAttack[^s]", "-test.v", "-test.count=1")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, testroot.ProgramEnv+"="+filepath.Join(dir, "probe"), setuidEnv+"="+suid,
		"CAISSON_CI="+promisedToUsers())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryUser, Gid: ordinaryUser}}
	out, err := cmd.CombinedOutput()
	report := func(s string) {
		for line := range strings.Lines(s) {
			if f := strings.TrimSpace(line); strings.HasPrefix(f, "--- ") || err != nil && !strings.HasPrefix(f, "=== ") {
				t.Log(strings.TrimRight(line, "\n"))
			}
		}
	}
	report(string(out))
	if err != nil {
		t.Error(err)
	}
}

// promisedToUsers are the needs that may not be missed on this machine, but for those that only root has.
func promisedToUsers() string {
	return strings.Join(slices.DeleteFunc(strings.Split(os.Getenv("CAISSON_CI"), ","), func(need string) bool {
		return need == "root" || need == "cgroupv1" || need == "cgroupv2"
	}), ",")
}

func attackCopy(from, to string, mode os.FileMode) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		return err
	}
	return os.Chmod(to, mode)
}
