package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// printMachine says what the figures were measured on, without naming the machine.
func printMachine(r *room) {
	where := r.filesystem
	fmt.Printf("%s, %s, Linux %s, %d cores (%s), load average %s\n", runtime.Version(), runtime.GOARCH,
		kernel(), runtime.NumCPU(), cpuModel(), loadAverage())
	fmt.Printf("small root, writable layers and state on %s; cgroups: %s\n", where, cgroups())
	for _, n := range r.notes {
		fmt.Println("left out:", n)
	}
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
	return version
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(b), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model unknown"
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(b))
	if len(fields) == 0 {
		return "unknown"
	}
	return fields[0]
}

const (
	tmpfsMagic   = 0x01021994 // statfs(2)
	cgroup2Magic = 0x63677270
	noExec       = 8 // ST_NOEXEC of statfs(2)
)

const unifiedCgroups = "version 2"

func cgroups() string {
	var s syscall.Statfs_t
	switch err := syscall.Statfs("/sys/fs/cgroup", &s); {
	case err != nil:
		return "none"
	case s.Type == cgroup2Magic:
		return unifiedCgroups
	}
	return "version 1 or hybrid"
}
