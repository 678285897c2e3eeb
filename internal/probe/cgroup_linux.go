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
	"syscall"
)

// limit is a controller that bounds containers, and how a bound is written in both versions.
type limit struct {
	id            ID
	controller    string
	file, value   string // version 2
	file1, value1 string // version 1
}

var limits = []limit{
	{LimitMemory, "memory", "memory.max", "67108864", "memory.limit_in_bytes", "67108864"},
	{LimitCPU, "cpu", "cpu.max", "50000 100000", "cpu.cfs_quota_us", "50000"},
	{LimitPids, "pids", "pids.max", "64", "pids.max", "64"},
}

// cgroups tries to make cgroups, to limit something by one, and to start a process in one.
func (p *prober) cgroups(ctx context.Context) {
	list := p.hierarchies()
	if len(list) == 0 {
		p.record(CgroupTree, "", &fs.PathError{Op: "find", Path: "cgroup hierarchy", Err: fs.ErrNotExist})
		return
	}
	p.record(CgroupTree, p.describe(list), nil)
	err := p.unified(ctx, list)
	for _, l := range limits {
		err = firstOf(err, p.limit(list, l))
	}
	p.record(CgroupMake, "", err)
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

// unified tries what only version 2 has.
func (p *prober) unified(ctx context.Context, list []hierarchy) error {
	y, ok := find(list, 2, "")
	if !ok {
		err := errors.New("needs cgroup v2, which is not mounted")
		p.unknown(CgroupKill, err)
		p.unknown(CgroupInto, err)
		return nil
	}
	group, err := trialGroup(y.upward())
	if err != nil {
		p.unknown(CgroupKill, &NeedError{CgroupMake, err})
		p.unknown(CgroupInto, &NeedError{CgroupMake, err})
		return err
	}
	defer func() { _ = os.Remove(group) }()
	p.record(CgroupInto, "", p.startIn(ctx, group))
	p.record(CgroupKill, "", writeExisting(filepath.Join(group, "cgroup.kill"), "1"))
	return nil
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

// limit tries to set a limit. Its error is one of making a cgroup.
func (p *prober) limit(list []hierarchy, l limit) error {
	if y, ok := find(list, 1, l.controller); ok {
		return p.limitIn(y.upward(), l.id, l.file1, l.value1)
	}
	y, ok := find(list, 2, "")
	if !ok {
		p.record(l.id, "", fmt.Errorf("no hierarchy has the controller %s: %w", l.controller, fs.ErrNotExist))
		return nil
	}
	var on, off []string
	for _, dir := range y.upward() {
		switch {
		case slices.Contains(p.words(dir+"/cgroup.subtree_control"), l.controller):
			on = append(on, dir)
		case slices.Contains(p.words(dir+"/cgroup.controllers"), l.controller):
			off = append(off, dir)
		}
	}
	switch {
	case len(on) > 0:
		return p.limitIn(on, l.id, l.file, l.value)
	case len(off) > 0:
		// Switching it on would outlast the trial.
		p.unknown(l.id, &offError{l.controller, off[0]})
	default:
		p.record(l.id, "", fmt.Errorf("%s does not have the controller %s: %w", y.own, l.controller, syscall.ENOENT))
	}
	return nil
}

func (p *prober) limitIn(dirs []string, id ID, file, value string) error {
	group, err := trialGroup(dirs)
	if err != nil {
		p.unknown(id, &NeedError{CgroupMake, err})
		return err
	}
	defer func() { _ = os.Remove(group) }()
	p.record(id, "", writeExisting(filepath.Join(group, file), value))
	return nil
}

func (p *prober) words(file string) []string { return strings.Fields(p.read(file)) }
