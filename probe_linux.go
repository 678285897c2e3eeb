package caisson

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/caisson-go/caisson/internal/cgroup"
	"github.com/caisson-go/caisson/internal/probe"
	"github.com/caisson-go/caisson/internal/sys"
)

// Probe finds out what this host can do for containers, by doing each thing once: it makes namespaces,
// mounts filesystems, makes cgroups and starts a container. It takes some tens of milliseconds and leaves
// nothing behind. What does not work is told with its reason and its remedy. The Support is never nil: what ctx
// left no time for is FeatureUnknown in it.
//
// Nothing is remembered: an engine finds out by itself what it needs.
//
// Errors: ctx.Err. A host that can do nothing is no error; see Support.Container.
func Probe(ctx context.Context) (*Support, error) {
	var e Engine
	sup, problem := e.detect()
	if problem != nil {
		sup = &Support{UID: os.Geteuid(), GID: os.Getegid(), Privileged: privileged()}
	}
	sup.Release = sys.Release()
	if problem == nil {
		problem = e.showHost(sup)
	}
	started := make(chan Feature, 1)
	go func() { started <- e.tryContainer(ctx, problem) }()
	report, err := probe.Run(ctx, e.probeHost(sup))
	sup.take(report)
	sup.Container = <-started
	if remedy := sup.containerRemedy(); sup.Container.State == FeatureFails && remedy != "" {
		sup.Container.Remedy = remedy
	}
	return sup, err
}

// probeHost says who asks.
func (e *Engine) probeHost(sup *Support) *probe.Host {
	h := &probe.Host{
		Files: os.DirFS("/"), LookPath: exec.LookPath,
		UID: sup.UID, GID: sup.GID, User: userName(sup.UID), Privileged: sup.Privileged,
	}
	h.StateDir, _ = e.dir() // without one the trials that need it fail, and say so
	uids, gids, err := subordinateRanges(sup.UID, sup.GID)
	h.SubUIDs, h.SubGIDs, h.SubErr = rangeText(uids), rangeText(gids), err
	with := &Support{UID: sup.UID, GID: sup.GID, SubUIDs: uids, SubGIDs: gids}
	h.MapIDs = func(pid int) error { return unhinted((&startup{support: with}).writeMaps(pid)) }
	h.Limit = tryLimit
	return h
}

// unhinted makes a part of the error what newuidmap(1) had to say: it tells why, not what to do.
func unhinted(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Hint == "" {
		return err
	}
	return &Error{e.Op, e.Path, fmt.Errorf("%w: %s", e.Err, e.Hint), ""}
}

// tryLimit makes a cgroup with one limit, where a container's would be, and removes it.
func tryLimit(ctx context.Context, controller string) error {
	limits := map[string]cgroup.Limits{"memory": {Memory: 64 << 20}, "cpu": {CPU: 0.5}, "pids": {Processes: 64}}
	host, err := cgroup.Find()
	if err != nil {
		return cgroupError(err)
	}
	g, err := host.Nest("caisson-probe", newID(), limits[controller])
	if err != nil {
		return cgroupError(err)
	}
	return cgroupError(g.Destroy(ctx))
}

func rangeText(ranges []IDRange) string {
	var list []string
	for _, r := range ranges {
		list = append(list, fmt.Sprintf("%d:%d", r.Start, r.Count))
	}
	return strings.Join(list, " ")
}

// noProgram is what no host has: a container that fails for want of it has come as far as executing it.
const noProgram = "/.caisson-probe-no-such-program"

// tryContainer starts a container of this host, with a program that is not there.
func (e *Engine) tryContainer(ctx context.Context, problem error) Feature {
	f := Feature{Name: "container"}
	err := problem
	if err == nil {
		c := e.Host().Command(noProgram)
		err = c.Start(ctx)
		defer func() { _ = c.Close() }()
	}
	var step *Error
	switch {
	case ctx.Err() != nil:
		f.Err = ctx.Err()
	case errors.As(err, &step) && step.Op == "execve" && errors.Is(err, fs.ErrNotExist), err == nil:
		f.State = FeatureWorks
	default:
		f.State, f.Err = FeatureFails, err
		if step != nil && !strings.Contains(step.Hint, "see Probe") {
			f.Remedy = step.Hint
		}
	}
	return f
}
