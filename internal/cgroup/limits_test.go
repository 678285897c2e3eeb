package cgroup

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCheckRefusesWhatCannotBeALimit(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		field  string // in the error; "" for none
	}{
		{Limits{}, ""},
		{Limits{Memory: MinMemory, CPU: 0.01, Processes: 1}, ""},
		{Limits{Memory: math.MaxInt64, CPU: maxCPU, Processes: maxProcesses}, ""},
		{Limits{Memory: -1}, "Memory"},
		{Limits{Memory: math.MinInt64}, "Memory"},
		{Limits{Memory: 1}, "Memory"},
		{Limits{Memory: MinMemory - 1}, "Memory"},
		{Limits{CPU: -0.5}, "CPU"},
		{Limits{CPU: 0.0099}, "CPU"},
		{Limits{CPU: math.SmallestNonzeroFloat64}, "CPU"},
		{Limits{CPU: math.NaN()}, "CPU"},
		{Limits{CPU: math.Inf(1)}, "CPU"},
		{Limits{CPU: math.Inf(-1)}, "CPU"},
		{Limits{CPU: math.MaxFloat64}, "CPU"},
		{Limits{Processes: -1}, "Processes"},
		{Limits{Processes: maxProcesses + 1}, "Processes"},
		{Limits{Processes: math.MaxInt64}, "Processes"},
	} {
		err := c.limits.Check()
		var e *Error
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%+v: %v", c.limits, err)
		case c.field != "" && (!errors.As(err, &e) || e.Path != "Limits."+c.field || e.Hint == ""):
			t.Errorf("%+v: %v, want an error with a remedy about %s", c.limits, err, c.field)
		}
	}
}

// written is what settings writes, one "file=value" each; "?" marks a file that may be missing, "~" a
// value that may be refused.
func written(l Limits, v2 bool) string {
	var list []string
	for _, c := range limited() {
		for _, s := range l.settings(c, v2) {
			line := s.file + "=" + s.value
			if s.optional {
				line += "?"
			}
			if s.try {
				line += "~"
			}
			list = append(list, line)
		}
	}
	return strings.Join(list, "; ")
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		v2     bool
		want   string
	}{
		{"version 2", Limits{64 << 20, 0.2, 100}, true,
			"memory.oom.group=1; memory.swap.max=0?; memory.max=67108864; cpu.max=20000 100000; pids.max=100"},
		{"version 2, lifted", Limits{}, true,
			"memory.oom.group=0; memory.swap.max=max?; memory.max=max; cpu.max=max; pids.max=max"},
		{"version 1", Limits{64 << 20, 0.2, 100}, false,
			"memory.limit_in_bytes=67108864~; memory.memsw.limit_in_bytes=67108864?; memory.limit_in_bytes=67108864; " +
				"cpu.cfs_period_us=100000; cpu.cfs_quota_us=20000; pids.max=100"},
		{"version 1, lifted", Limits{}, false,
			"memory.limit_in_bytes=-1~; memory.memsw.limit_in_bytes=-1?; memory.limit_in_bytes=-1; cpu.cfs_quota_us=-1; pids.max=max"},
		{"rounding", Limits{CPU: 0.333333}, true,
			"memory.oom.group=0; memory.swap.max=max?; memory.max=max; cpu.max=33333 100000; pids.max=max"},
		{"the least", Limits{CPU: minCPU}, true,
			"memory.oom.group=0; memory.swap.max=max?; memory.max=max; cpu.max=1000 100000; pids.max=max"},
		{"many processors", Limits{CPU: 128}, true,
			"memory.oom.group=0; memory.swap.max=max?; memory.max=max; cpu.max=12800000 100000; pids.max=max"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := written(c.limits, c.v2); got != c.want {
				t.Errorf("writes\n %s\nwant\n %s", got, c.want)
			}
		})
	}
}

func TestControllersAreThoseNeeded(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   []string
	}{
		{Limits{}, nil},
		{Limits{Memory: 1}, []string{"memory"}},
		{Limits{CPU: 1, Processes: 1}, []string{"cpu", "pids"}},
		{Limits{1, 1, 1}, []string{"memory", "cpu", "pids"}},
	} {
		if got := c.limits.controllers(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.limits, got, c.want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"jobs": "jobs", "jobs/1": "jobs/1", "/system.slice/ssh.service": "system.slice/ssh.service", "..a/b": "..a/b",
		"": "", "/": "", ".": "", "..": "", "../x": "", "a/../../x": "", "a/../b": "", "a//b": "", "a/": "", "//a": "",
		"a\x00b": "", "a\nb": "",
	} {
		got, err := checkName(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"jobs/1", "/a", "../x", "a/./b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := checkName(name)
		if err == nil && (clean == "" || clean[0] == '/' || slices.Contains(strings.Split(clean, "/"), "..")) {
			t.Errorf("%q became %q", name, clean)
		}
	})
}
