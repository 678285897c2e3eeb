package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stock is what a program must leave as it found it. The guest has no other inhabitants, so any difference is a leak.
type stock map[string]bool

// takeStock lists mounts, network interfaces, cgroups and processes.
func takeStock() stock {
	s := make(stock)
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		s["mount "+strings.TrimSpace(line)] = true
	}
	links, _ := os.ReadDir("/sys/class/net")
	for _, link := range links {
		s["interface "+link.Name()] = true
	}
	filepath.WalkDir(cgroupRoot, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			s["cgroup "+path] = true
		}
		return nil
	})
	for _, dir := range must(filepath.Glob("/proc/[0-9]*")) {
		// Kernel threads have no executable, and come and go by themselves. Neither do zombies, but those go.
		if exe, err := os.Readlink(dir + "/exe"); err == nil {
			s[fmt.Sprintf("process %s %s", filepath.Base(dir), exe)] = true
		}
	}
	return s
}

func must(paths []string, _ error) []string { return paths }

// leftovers says what is there now and was not there before. What the kernel takes down in its own time (a network
// namespace's interfaces, for one) gets a moment to go.
func (s stock) leftovers() string {
	var left []string
	for range 40 {
		now := takeStock()
		maps.DeleteFunc(now, func(k string, _ bool) bool { return s[k] })
		left = slices.Sorted(maps.Keys(now))
		if len(left) == 0 {
			return ""
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "left behind: " + strings.Join(left, "; ")
}
