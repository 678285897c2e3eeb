package testneed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorder is a TB that remembers instead of ending the test.
type recorder struct{ skipped, failed string }

func (r *recorder) Helper()                   {}
func (r *recorder) Skipf(f string, a ...any)  { r.skipped = fmt.Sprintf(f, a...) }
func (r *recorder) Fatalf(f string, a ...any) { r.failed = fmt.Sprintf(f, a...) }

func TestMissingNeedSkipsOrFails(t *testing.T) {
	for _, c := range []struct {
		env  string
		fail bool
	}{
		{"", false},
		{"root,userns", false},
		{"feature", true},
		{"feature:teleport", true},
		{"feature:walking", false},
		{" root , feature ", true},
	} {
		t.Run(c.env, func(t *testing.T) {
			t.Setenv(Env, c.env)
			var r recorder
			Feature(&r, "teleport", errors.New("no pad"), "buy a pad")
			got, other := r.skipped, r.failed
			if c.fail {
				got, other = other, got
			}
			if other != "" {
				t.Errorf("skipped %q, failed %q", r.skipped, r.failed)
			}
			for _, want := range []string{"feature:teleport", "no pad", "buy a pad"} {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
		})
	}
}

func TestMisspeltNeedFails(t *testing.T) {
	t.Setenv(Env, "root,featur")
	var r recorder
	Feature(&r, "teleport", errors.New("no pad"), "buy a pad")
	if !strings.Contains(r.failed, `unknown need "featur"`) {
		t.Errorf("a misspelt need gave %+v", r)
	}
}

func TestPromised(t *testing.T) {
	for _, c := range []struct {
		list    string
		details []string
		want    bool
	}{
		{"cgroupv2", nil, true},
		{"cgroupv2", []string{"memory", "pids"}, true},
		{"cgroupv2:memory", nil, false},
		{"cgroupv2:memory", []string{"memory"}, true},
		{"cgroupv2:memory", []string{"memory", "pids"}, false},
		{"cgroupv2:pids,cgroupv2:memory", []string{"memory", "pids"}, true},
	} {
		if got, err := promised(c.list, "cgroupv2", c.details); got != c.want || err != nil {
			t.Errorf("%s for %v: %v, %v", c.list, c.details, got, err)
		}
	}
}

func TestPresentNeedIsSilent(t *testing.T) {
	t.Setenv(Env, "feature")
	var r recorder
	Feature(&r, "breathing", nil, "")
	if r != (recorder{}) {
		t.Errorf("a present need gave %+v", r)
	}
}

func TestExactlyOneOfRootAndUnprivilegedCanHold(t *testing.T) {
	t.Setenv(Env, "")
	var asRoot, asUser recorder
	Root(&asRoot)
	Unprivileged(&asUser)
	if asRoot.skipped == "" && asUser.skipped == "" {
		t.Error("the same process is root and unprivileged")
	}
}

func TestProgram(t *testing.T) {
	t.Setenv(Env, "")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "frobnicate.exe"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	var r recorder
	if got := Program(&r, "frobnicate.exe", ""); got != filepath.Join(dir, "frobnicate.exe") {
		t.Errorf("the program was found at %q; %+v", got, r)
	}
	if got := Program(&r, "no-such-program", "apt-get install nothing"); got != "" || !strings.Contains(r.skipped, "apt-get install nothing") {
		t.Errorf("a missing program gave %q and %+v", got, r)
	}
}

func TestSources(t *testing.T) {
	t.Setenv(Env, "")
	here := t.TempDir()
	deep := filepath.Join(here, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	var r recorder
	if Sources(&r); r.skipped == "" {
		t.Error("sources were found where there are none")
	}
	if err := os.WriteFile(filepath.Join(here, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r = recorder{}
	if got := Sources(&r); got != here || r.skipped != "" {
		t.Errorf("sources are at %q; %+v", got, r)
	}
}

func TestPatience(t *testing.T) {
	for env, want := range map[string]time.Duration{"": time.Second, "10": 10 * time.Second, "0": time.Second, "x": time.Second} {
		t.Setenv(PatienceEnv, env)
		if got := Patience(time.Second); got != want {
			t.Errorf("%q: %v, want %v", env, got, want)
		}
	}
}
