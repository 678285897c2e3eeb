package caisson

import "github.com/caisson-go/caisson/internal/probe"

// take fills in the features from what the probing found.
func (s *Support) take(r *probe.Report) {
	for _, g := range s.groups() {
		for _, e := range g.entries {
			if e.id == probe.None {
				continue
			}
			res := r.Results[e.id]
			*e.feature = Feature{e.id.Name(), e.id.Since(), featureStates[res.State], res.Detail, res.Err, res.Remedy}
		}
	}
	s.Cgroups.Mode, s.Security.AppArmor, s.Security.SELinux = CgroupMode(r.CgroupMode), r.AppArmor, r.SELinux
	f := &s.Filesystems
	for _, k := range []struct {
		ability *bool
		feature *Feature
	}{
		{&s.Kernel.OverlayFsconfig, &f.OverlayFsconfig}, {&s.Kernel.OverlayLowerAdd, &f.OverlayLowerAdd},
		{&s.Kernel.PivotRoot, &f.PivotRoot}, {&s.Kernel.Mqueue, &f.Mqueue}, {&s.Kernel.ProcMount, &f.Proc},
	} {
		if k.feature.State != FeatureUnknown {
			*k.ability = k.feature.Works()
		}
	}
}

// containerRemedy is the remedy of the first failing thing that a container cannot do without, or "".
// What the start of a container fails with may be a consequence of it.
func (s *Support) containerRemedy() string {
	n, f, p := &s.Namespaces, &s.Filesystems, &s.Processes
	needed := []*Feature{
		&n.Mount, &n.PID, &n.Net, &n.IPC, &n.UTS, &n.Cgroup, &f.MountAPI, &f.MountSetattr, &f.Tmpfs, &f.Proc, &f.Sysfs,
		&f.Devpts, &f.Overlay, &p.Clone3, &p.Pidfd, &p.CloseRange, &p.Openat2,
	}
	if !s.Privileged {
		needed = append([]*Feature{&n.User, &s.IDs.Maps}, needed...)
	}
	for _, f := range needed {
		if f.State == FeatureFails && f.Remedy != "" {
			return f.Name + ": " + f.Remedy
		}
	}
	return ""
}
