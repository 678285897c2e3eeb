package cgroup

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Limits bound what the processes of a group use together. Zero means no bound.
type Limits struct {
	Memory    int64   // bytes, swap included
	CPU       float64 // processors' time
	Processes int64   // processes and threads at once
}

// The bounds of what the kernel takes, or can work with.
const (
	// MinMemory is room for a program and for what the kernel itself keeps about it.
	MinMemory = 4 << 20

	// period is the kernel's own default for cpu.max and cpu.cfs_period_us, in microseconds.
	period = 100_000

	// minCPU is a quota of a millisecond in each period; the kernel says EINVAL to less.
	minCPU = 0.01

	// maxCPU keeps the quota, counted in nanoseconds, far from an overflow.
	maxCPU = 1 << 16

	// maxProcesses is the largest number of a process; the kernel's PID_MAX_LIMIT. pids.max takes no more.
	maxProcesses = 4 << 20
)

// Check refuses what cannot be a limit.
func (l Limits) Check() error {
	bad := func(field, reason, hint string) error {
		return &Error{"limit", "Limits." + field, errors.New(reason), hint}
	}
	switch {
	case l.Memory < 0:
		return bad("Memory", fmt.Sprintf("%d is negative", l.Memory), "give bytes, or 0 for no limit")
	case l.Memory != 0 && l.Memory < MinMemory:
		return bad("Memory", fmt.Sprintf("%d bytes are too few for any program", l.Memory), "give bytes, at least 4 << 20, or 0 for no limit")
	case math.IsNaN(l.CPU) || l.CPU < 0 || l.CPU > maxCPU:
		return bad("CPU", fmt.Sprintf("%v is not a number of processors", l.CPU), "give a number such as 0.5 or 2, or 0 for no limit")
	case l.CPU != 0 && l.CPU < minCPU:
		return bad("CPU", fmt.Sprintf("%v processors are less than the kernel can measure out", l.CPU), "give at least 0.01, or 0 for no limit")
	case l.Processes < 0 || l.Processes > maxProcesses:
		return bad("Processes", fmt.Sprintf("%d is not a number of processes", l.Processes), "give 1 to 4194304, or 0 for no limit")
	}
	return nil
}

// controllers are those that the limits need.
func (l Limits) controllers() []string {
	var list []string
	for _, c := range []struct {
		name string
		set  bool
	}{{"memory", l.Memory != 0}, {"cpu", l.CPU != 0}, {"pids", l.Processes != 0}} {
		if c.set {
			list = append(list, c.name)
		}
	}
	return list
}

// limited are the controllers that Limits can need.
func limited() []string { return []string{"memory", "cpu", "pids"} }

// setting is a string for a file of a group.
type setting struct {
	file, value string
	optional    bool // the kernel may not have the file
	try         bool // the kernel may refuse it now; a later setting repeats it
}

// settings are what makes a limit of a controller hold, in this order. The zero limit lifts it.
func (l Limits) settings(controller string, v2 bool) []setting {
	switch controller {
	case "memory":
		return l.memory(v2)
	case "cpu":
		return l.cpu(v2)
	case "pids":
		return []setting{{file: "pids.max", value: number(l.Processes, "max")}}
	}
	return nil
}

// memory bounds memory and swap together, so that a limit means the same on a host with swap and without.
//
// Version 2 counts the two apart: no swap then. In version 1 memsw counts both, and must never be below
// the limit of memory alone: lowering both begins with the one, raising with the other. A kernel that was
// booted with swapaccount=0 has no files for swap.
func (l Limits) memory(v2 bool) []setting {
	if !v2 {
		n := number(l.Memory, "-1")
		return []setting{
			{file: "memory.limit_in_bytes", value: n, try: true},
			{file: "memory.memsw.limit_in_bytes", value: n, optional: true},
			{file: "memory.limit_in_bytes", value: n},
		}
	}
	swap, group := "0", "1"
	if l.Memory == 0 {
		swap, group = "max", "0"
	}
	return []setting{
		// The group first: when memory.max is set below what is in use, the killing begins at once.
		{file: "memory.oom.group", value: group},
		{file: "memory.swap.max", value: swap, optional: true},
		{file: "memory.max", value: number(l.Memory, "max")},
	}
}

func (l Limits) cpu(v2 bool) []setting {
	quota := number(int64(math.Round(l.CPU*period)), "")
	switch {
	case v2 && quota == "":
		return []setting{{file: "cpu.max", value: "max"}}
	case v2:
		return []setting{{file: "cpu.max", value: quota + " " + strconv.Itoa(period)}}
	case quota == "":
		return []setting{{file: "cpu.cfs_quota_us", value: "-1"}}
	}
	return []setting{
		{file: "cpu.cfs_period_us", value: strconv.Itoa(period)},
		{file: "cpu.cfs_quota_us", value: quota},
	}
}

// number is a limit as the kernel reads it, or what stands for none.
func number(n int64, none string) string {
	if n == 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}
