package caisson

import (
	"strings"

	"github.com/caisson-go/caisson/internal/probe"
)

// take fills in the features from what the probing found.
func (s *Support) take(r *probe.Report) {
	for _, g := range s.groups() {
		for _, e := range g.entries {
			if e.id == probe.None {
				continue
			}
			res := r.Results[e.id]
			*e.feature = Feature{e.id.Name(), e.id.Since(), FeatureState(res.State), res.Detail, res.Err, res.Remedy}
		}
	}
	s.Cgroups.Mode, s.Security.AppArmor, s.Security.SELinux = r.CgroupMode, r.AppArmor, r.SELinux
	f := &s.Filesystems
	for _, k := range []struct {
		ability *bool
		feature *Feature
	}{
		{&s.Kernel.OverlayFsconfig, &f.OverlayFsconfig}, {&s.Kernel.OverlayLowerAdd, &f.OverlayLowerAdd},
		{&s.Kernel.PivotRoot, &f.PivotRoot}, {&s.Kernel.Mqueue, &f.Mqueue}, {&s.Kernel.ProcMount, &f.Proc},
	} {
		if k.feature.State != Unknown {
			*k.ability = k.feature.Works()
		}
	}
}

// containerRemedy is the remedy of the first thing that a container cannot do without. The remedies of
// the others begin with "none needed".
func (s *Support) containerRemedy() string {
	for _, f := range s.Features() {
		if f.State == Fails && f.Remedy != "" && !strings.HasPrefix(f.Remedy, "none needed") {
			return f.Name + ": " + f.Remedy
		}
	}
	return ""
}
