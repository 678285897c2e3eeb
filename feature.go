package caisson

import (
	"strings"

	"github.com/caisson-go/caisson/internal/probe"
)

// FeatureState is what came of trying a feature.
type FeatureState uint8

// The states of a feature.
const (
	FeatureUnknown FeatureState = iota // not tried, or it could not be told
	FeatureWorks                       // it was done
	FeatureFails                       // it was refused
)

var featureStates = map[probe.State]FeatureState{
	probe.Unknown: FeatureUnknown, probe.Works: FeatureWorks, probe.Fails: FeatureFails,
}

// String is the state in one word.
func (s FeatureState) String() string {
	switch s {
	case FeatureWorks:
		return "works"
	case FeatureFails:
		return "fails"
	}
	return "unknown"
}

// Feature is one thing that a host may be able to do, and what came of trying it.
type Feature struct {
	Name   string       // for people
	Since  string       // the first kernel release with it; "" if it is no part of the kernel
	State  FeatureState // the zero value is FeatureUnknown
	Detail string       // what was found, such as a version
	Err    error        // why it fails or is unknown; errors.Is finds the errno
	Remedy string       // what to do if it fails; "" if nothing is known
}

// Works tells whether the feature was tried and works.
func (f Feature) Works() bool { return f.State == FeatureWorks }

// String is one line, fit for a log or for skipping a test.
func (f Feature) String() string {
	s := f.Name + ": " + f.State.String()
	for _, part := range []string{f.reason(), f.Remedy} {
		if part != "" {
			s += "; " + part
		}
	}
	return s
}

// reason is what was found, and why it does not work.
func (f Feature) reason() string {
	if f.Err == nil {
		return f.Detail
	}
	text := f.Err.Error()
	if e, ok := f.Err.(*Error); ok && f.Remedy != "" {
		text = (&Error{e.Op, e.Path, e.Err, ""}).Error() // one remedy is enough
	}
	return strings.ReplaceAll(strings.TrimPrefix(text, "caisson: "), "\n", "; ")
}

// featureGroup is a part of the table of features.
type featureGroup struct {
	title   string
	entries []featureEntry
}

// featureEntry ties a field of Support to the trial that fills it in.
type featureEntry struct {
	feature *Feature
	id      probe.ID
}

// groups are the fields of Support that Probe fills in, in the order in which people read them.
func (s *Support) groups() []featureGroup {
	n, f, c, i, p, sec := &s.Namespaces, &s.Filesystems, &s.Cgroups, &s.IDs, &s.Processes, &s.Security
	return []featureGroup{
		{"containers", []featureEntry{{&s.Container, probe.None}}},
		{"namespaces", []featureEntry{
			{&n.User, probe.User}, {&n.OrdinaryUser, probe.OrdinaryUser}, {&n.Mount, probe.Mount}, {&n.PID, probe.PID},
			{&n.Net, probe.Net}, {&n.IPC, probe.IPC}, {&n.UTS, probe.UTS}, {&n.Cgroup, probe.Cgroup}, {&n.Time, probe.Time},
			{&n.Setns, probe.SetnsPidfd},
		}},
		{"filesystems", []featureEntry{
			{&f.MountAPI, probe.MountAPI}, {&f.MountSetattr, probe.MountSetattr}, {&f.PivotRoot, probe.PivotRoot},
			{&f.Tmpfs, probe.Tmpfs}, {&f.TmpfsXattr, probe.TmpfsXattr}, {&f.Proc, probe.Proc}, {&f.Sysfs, probe.Sysfs},
			{&f.Devpts, probe.Devpts}, {&f.Mqueue, probe.Mqueue}, {&f.Cgroup2, probe.CgroupFS},
			{&f.Overlay, probe.Overlay}, {&f.OverlayState, probe.OverlayState}, {&f.OverlayUser, probe.OverlayUser},
			{&f.OverlayUserxattr, probe.OverlayUserxattr}, {&f.OverlayFsconfig, probe.OverlayFsconfig},
			{&f.OverlayLowerAdd, probe.OverlayLowerAdd}, {&f.OverlayFD, probe.OverlayFD}, {&f.IDMapped, probe.IDMapped},
		}},
		{"cgroups", []featureEntry{
			{&c.Mounted, probe.CgroupTree}, {&c.Make, probe.CgroupMake}, {&c.Memory, probe.LimitMemory},
			{&c.CPU, probe.LimitCPU}, {&c.Pids, probe.LimitPids}, {&c.Kill, probe.CgroupKill}, {&c.Into, probe.CgroupInto},
		}},
		{"ids", []featureEntry{
			{&i.Newuidmap, probe.Newuidmap}, {&i.Newgidmap, probe.Newgidmap}, {&i.SubUIDs, probe.SubUID},
			{&i.SubGIDs, probe.SubGID}, {&i.Maps, probe.IDMaps},
		}},
		{"processes and memory", []featureEntry{
			{&p.Clone3, probe.Clone3}, {&p.Pidfd, probe.Pidfd}, {&p.WaitPidfd, probe.WaitPidfd},
			{&p.CloseRange, probe.CloseRange}, {&p.Openat2, probe.Openat2}, {&p.MemfdExec, probe.MemfdExec},
			{&p.MemfdSeal, probe.MemfdSeal}, {&p.Resource, probe.SysResource}, {&p.Binfmt, probe.Binfmt},
		}},
		{"security", []featureEntry{{&sec.Seccomp, probe.Seccomp}, {&sec.Landlock, probe.Landlock}}},
	}
}
