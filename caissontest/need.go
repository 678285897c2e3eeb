package caissontest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson"
)

// env is the environment variable whose presence turns skips into failures.
const env = "CAISSON_CI"

// Need skips the test, with the remedy, if this host cannot run containers at all. Run does so by itself; Need is for
// tests of programs that start containers of their own. It finds out by trying, which takes some milliseconds.
func Need(t TB) {
	t.Helper()
	if err := try(t.Context(), caisson.Limits{}); err != nil {
		if !hostRefuses(err) {
			t.Fatalf("caissontest: %v", err)
			return
		}
		skip(t, err)
	}
}

// skip gives the test up, or fails it where that is not wanted. Probe knows more of remedies than the error does,
// unless containers run and only their limits do not.
func skip(t TB, err error) {
	t.Helper()
	why := err.Error()
	if s, _ := caisson.Probe(t.Context()); s != nil && s.Container.State == caisson.FeatureFails {
		why = s.Container.String()
	}
	if os.Getenv(env) != "" {
		t.Fatalf("caissontest: this host cannot run it, and %s forbids to skip the test: %s", env, why)
		return
	}
	t.Skipf("caissontest: this host cannot run it: %s", why)
}

// refusal decides whether an error of Start is the host's, and returns the one that tells most about it; nil if
// it is the container's own. What every container with these limits meets is the host's.
func refusal(ctx context.Context, l caisson.Limits, err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if e := new(caisson.Error); !errors.As(err, &e) || e.Op == "execve" {
		return nil
	}
	if cause := try(ctx, l); cause != nil && hostRefuses(cause) {
		return cause
	}
	return nil
}

// hostRefuses tells whether an error of try means that there are no containers here, and not that, for instance,
// there are too many open files.
func hostRefuses(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, syscall.ENOSPC) || // a sysctl user.max_*_namespaces is 0; namespaces(7)
		errors.Is(err, syscall.EROFS) // limits, where the cgroup filesystem is read-only
}

// nowhere is a program that no host has: that it is not found shows that everything before worked.
const nowhere = "/caissontest/no/such/program"

// try makes a container as far as the execution of its program.
func try(ctx context.Context, l caisson.Limits) error {
	dir, err := os.MkdirTemp("", "caissontest-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	engine := &caisson.Engine{Dir: dir}
	c := engine.Host().Command(nowhere)
	c.Limits = l
	err = errors.Join(c.Start(ctx), c.Close())
	if e := new(caisson.Error); errors.As(err, &e) && e.Op == "execve" {
		return nil
	}
	return err
}
