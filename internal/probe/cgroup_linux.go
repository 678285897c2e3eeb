package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// limits are the controllers that bound containers.
var limits = []struct {
	id         ID
	controller string
}{{LimitMemory, "memory"}, {LimitCPU, "cpu"}, {LimitPids, "pids"}}

// cgroups tries to make cgroups, to limit something by one, and to start a process in one.
func (p *prober) cgroups(ctx context.Context) {
	list := p.hierarchies()
	if len(list) == 0 {
		p.record(CgroupTree, "", &fs.PathError{Op: "find", Path: "cgroup hierarchy", Err: fs.ErrNotExist})
		return
	}
	p.record(CgroupTree, p.describe(list), nil)
	base, err := p.unified(ctx, list)
	for _, l := range limits {
		err = firstOf(err, p.limit(ctx, list, base, l.id, l.controller))
	}
	p.record(CgroupMake, base, err)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// trialGroup makes a cgroup in the first directory in which that is possible.
func trialGroup(dirs []string) (string, error) {
	var first error
	for _, dir := range dirs {
		group, err := os.MkdirTemp(dir, "caisson-probe-")
		if err == nil {
			return group, nil
		}
		first = firstOf(first, err)
	}
	return "", first
}

// unified tries what only version 2 has. It returns where in it cgroups can be made, or "".
func (p *prober) unified(ctx context.Context, list []hierarchy) (base string, err error) {
	y, ok := find(list, 2, "")
	if !ok {
		err := errors.New("needs cgroup v2, which is not mounted")
		p.unknown(CgroupKill, err)
		p.unknown(CgroupInto, err)
		return "", nil
	}
	group, err := trialGroup(y.places())
	if err != nil {
		p.unknown(CgroupKill, &NeedError{CgroupMake, err})
		p.unknown(CgroupInto, &NeedError{CgroupMake, err})
		return "", err
	}
	defer func() { _ = os.Remove(group) }()
	p.record(CgroupInto, "", p.startIn(ctx, group))
	p.record(CgroupKill, "", writeExisting(filepath.Join(group, "cgroup.kill"), "1"))
	return filepath.Dir(group), nil
}

// startIn starts a process in a cgroup and waits for its end.
func (p *prober) startIn(ctx context.Context, group string) error {
	dir, err := os.Open(group)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	r, err := p.start(ctx, nothing(), dir)
	if err != nil {
		return err
	}
	_, err = r.end()
	return err
}

// writeExisting writes to a file that a cgroup has, or has not.
func writeExisting(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// limit tries a limit where the controller is. Its error is one of making a cgroup. base is where they can
// be made in version 2.
func (p *prober) limit(ctx context.Context, list []hierarchy, base string, id ID, controller string) error {
	if y, ok := find(list, 1, controller); ok {
		group, err := trialGroup([]string{y.top})
		if err != nil {
			p.unknown(id, &NeedError{CgroupMake, err})
			return err
		}
		_ = os.Remove(group)
		p.record(id, "", p.Limit(ctx, controller))
		return nil
	}
	_, ok := find(list, 2, "")
	switch {
	case ok && base == "":
		p.unknown(id, &NeedError{Need: CgroupMake})
	case ok && slices.Contains(p.words(base+"/cgroup.subtree_control"), controller):
		p.record(id, "", p.Limit(ctx, controller))
	case ok && slices.Contains(p.words(base+"/cgroup.controllers"), controller):
		// The first container with the limit switches it on, and it stays on: that is not for a trial.
		p.unknown(id, &offError{controller, base})
	default:
		p.record(id, "", fmt.Errorf("no cgroup here has the controller %s: %w", controller, fs.ErrNotExist))
	}
	return nil
}

func (p *prober) words(file string) []string { return strings.Fields(p.read(file)) }
