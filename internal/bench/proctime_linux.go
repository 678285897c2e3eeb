package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processorTime is what a process has used in user mode and in the kernel, with those of its children that it has
// waited for, in the kernel's ticks of 10 ms; proc_pid_stat(5), utime to cstime. Children that live are added.
func processorTime(pid int) (time.Duration, error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	total := time.Duration(ticks) * 10 * time.Millisecond
	for _, child := range children(pid) {
		if t, err := processorTime(child); err == nil { // it may have ended meanwhile
			total += t
		}
	}
	return total, nil
}

// statFields are the fields behind the name of a process, which may hold anything.
func statFields(pid int) ([]string, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("stat of process %d: %d fields", pid, len(fields))
	}
	return fields, nil
}

func children(pid int) []int {
	entries, _ := os.ReadDir("/proc")
	var list []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f, err := statFields(child); err == nil && f[1] == strconv.Itoa(pid) {
			list = append(list, child)
		}
	}
	return list
}
