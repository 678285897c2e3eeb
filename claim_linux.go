package caisson

import (
	"os"
	"strconv"
)

// made tells whether a process can be the one that the stage says it made. A container whose capabilities
// let it trace everything in its process namespace can take the status pipe from a process that enters it,
// and claim any number; whatever is claimed is killed one day.
//
// Only a child of this program's, or of the stage's, will do, and for a program executed in a container
// only one in that container's process namespace.
func (s *startup) made(pid int) bool {
	parent := os.Getpid()
	if s.config.Detach {
		parent = s.stage.Pid
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != itoa(os.Getpid()) {
		return true // /proc is of another process namespace, and tells nothing
	}
	if parentOf(pid) != parent {
		return false
	}
	if s.inside == nil {
		return true
	}
	claimed, err := os.Readlink("/proc/" + itoa(pid) + "/ns/pid")
	if err != nil {
		// It is not dumpable, and this program has no capability to look all the same: nor has the container.
		return true
	}
	own, err := os.Readlink("/proc/" + itoa(s.inside.proc.Pid) + "/ns/pid")
	return err != nil || claimed == own
}

// parentOf is the number of a process's parent, or 0.
func parentOf(pid int) int {
	const parent = 4 // proc_pid_stat(5), counted from 1
	f := statOf(pid)
	if len(f) < parent {
		return 0
	}
	n, err := strconv.Atoi(f[parent-1])
	if err != nil {
		return 0
	}
	return n
}
